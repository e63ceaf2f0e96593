//! How hosts fill the lowest tier.

/// Leaves in groups that are bought together (one leaf per rail); all groups but the last are full.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafLayer {
    pub leaves: u64,
    /// Leaves per group.
    group: u64,
    /// Host ports per leaf.
    down: u64,
    /// Host ports used in the last group, spread evenly over its leaves.
    last: u64,
}

impl LeafLayer {
    /// groups = ceil(hosts / (group · down)).
    pub fn fill(hosts: u64, group: u64, down: u64) -> Self {
        let block = group.saturating_mul(down);
        let groups = hosts.div_ceil(block);
        Self { leaves: groups.saturating_mul(group), group, down, last: hosts - (groups - 1) * block }
    }

    pub fn is_one_group(&self) -> bool {
        self.leaves == self.group
    }

    /// Host ports in use on the fullest leaf.
    pub fn fullest(&self) -> u64 {
        if self.is_one_group() { self.last.div_ceil(self.group) } else { self.down }
    }

    /// Host ports that are left.
    pub fn free(&self) -> u64 {
        self.group * self.down - self.last
    }

    /// Optical modules of `ports` ports each in all leaves, with `up` uplinks per leaf.
    pub fn modules(&self, up: u64, ports: u64) -> u64 {
        let full_leaves = self.leaves - self.group;
        let (least, fuller) = (self.last / self.group, self.last % self.group);
        full_leaves * (self.down + up).div_ceil(ports)
            + fuller * (least + 1 + up).div_ceil(ports)
            + (self.group - fuller) * (least + up).div_ceil(ports)
    }
}
