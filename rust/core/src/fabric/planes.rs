//! Several fabrics side by side.

use super::{FabricDesign, FabricError, FabricKind, FabricSpec, LinkTier, Tier, UpToFour, single};

/// p planes, each a fabric of its own over 1/p of every server's ports: p · (smallest fabric of one plane).
///
/// At p planes of k-port switches two tiers reach k²/2 servers with p ports each (p · k²/2 host ports), where one
/// plane would need three tiers: 3N/k switches instead of 5N/k. Reserved ports are spread over the planes.
///
/// # Errors
/// [`FabricError::UnevenPlanes`], and those of one plane.
pub(super) fn multi_plane(spec: &FabricSpec) -> Result<FabricDesign, FabricError> {
    let planes = spec.planes;
    if planes == 0 || !spec.ports_per_server.is_multiple_of(planes) {
        return Err(FabricError::UnevenPlanes { ports: spec.ports_per_server, planes });
    }
    let plane = FabricSpec {
        kind: FabricKind::RailOptimised,
        ports_per_server: spec.ports_per_server / planes,
        reserved_ports: spec.reserved_ports.div_ceil(planes),
        planes: 1,
        ..*spec
    };
    let one = single(&plane)?;
    let times = u64::from(planes);
    Ok(FabricDesign {
        tiers: scaled(&one.tiers, |tier: Tier| Tier { switches: tier.switches * times, ..tier }),
        links: scaled(&one.links, |link: LinkTier| LinkTier { count: link.count * times, ..link }),
        transceivers: spec.transceivers(one.transceivers.switch_side * times),
        ports_free: one.ports_free * times,
        bisection_ports: one.bisection_ports * f64::from(planes),
        ..one
    })
}

fn scaled<T: Copy + Default>(items: &UpToFour<T>, scale: impl Fn(T) -> T) -> UpToFour<T> {
    match **items {
        [a] => [scale(a)].into(),
        [a, b] => [scale(a), scale(b)].into(),
        [a, b, c] => [scale(a), scale(b), scale(c)].into(),
        [a, b, c, d] => [scale(a), scale(b), scale(c), scale(d)].into(),
        _ => UpToFour::default(),
    }
}
