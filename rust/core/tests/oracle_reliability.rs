//! Reliability against published and worked values. Numbers as their sources print them.

use planner_core::reliability::causes::availability;
use planner_core::reliability::{
    Checkpointing, daly_interval, expected_ettr, first_order_waste, goodput, job_mttf, spare_servers,
    young_interval,
};
use planner_core::units::{Bytes, BytesPerSecond, SECONDS_PER_DAY, Seconds};

fn near(left: f64, right: f64, tolerance: f64) {
    assert!((left - right).abs() <= tolerance, "{left} is not within {tolerance} of {right}");
}

/// Write, MTTF, Young, Daly (seconds), first-order waste at Young's interval without recovery.
/// Worked from Young (CACM 1974) and Daly (FGCS 2006).
const YOUNG_DALY: [(f64, f64, f64, f64, f64); 5] = [
    (30.0, 11_135.084, 817.377, 797.499, 0.07341),
    (60.0, 11_135.084, 1155.946, 1116.292, 0.10381),
    (300.0, 11_135.084, 2584.773, 2388.642, 0.23213),
    (120.0, 103_846.154, 4992.302, 4912.622, 0.04807),
    (200.0, 3_600_000.0, 37_947.332, 37_814.116, 0.01054),
];

#[test]
fn young_and_daly_intervals_match_worked_values() {
    for (write, mttf, young, daly, waste) in YOUNG_DALY {
        let (write, mttf) = (Seconds(write), Seconds(mttf));
        near(young_interval(write, mttf).0, young, 6e-4);
        near(daly_interval(write, mttf).0, daly, 6e-4);
        near(first_order_waste(write, young_interval(write, mttf), mttf, Seconds::ZERO), waste, 6e-6);
    }
}

#[test]
fn mttf_at_meta_rates_matches_the_projections_of_the_paper() {
    // arXiv 2410.21680: 6.50 failures per 1,000 node-days; 1.8 h at 16,384 GPUs and 0.23 h at 131,072 are projected.
    // Its 7.9 h at 1,024 GPUs is measured and does not follow the formula, which gives 28.846 h.
    for (gpus, hours) in [(1024, 28.846), (16_384, 1.8029), (131_072, 0.2254)] {
        near(job_mttf(gpus / 8, 0.0065).0 / 3600.0, hours, 6e-4);
    }
    near(job_mttf(16_384 / 8, 0.0065).0 / 3600.0, 1.8, 0.05);
    near(job_mttf(131_072 / 8, 0.0065).0 / 3600.0, 0.23, 0.005);
}

#[test]
fn mttf_at_the_rate_of_llama_3_is_three_hours() {
    // arXiv 2407.21783: 419 unexpected interruptions in 54 days on 16,384 GPUs.
    let rate = 419.0 / 54.0 / 2048.0;
    near(rate * 1000.0, 3.789, 6e-4);
    near(job_mttf(2048, rate).0 / 3600.0, 3.0931, 6e-5);
}

#[test]
fn expected_ettr_matches_the_closed_form_of_the_rsc_paper() {
    // Nodes, failures per node-day, restart, interval, write (minutes), ETTR.
    let rows = [
        (256, 0.0065, 5.0, 60.0, 1.0, 0.94383),
        (2048, 0.0065, 5.0, 60.0, 1.0, 0.66536),
        (2048, 0.0065, 5.0, 15.0, 0.5, 0.85591),
        (2048, 0.003_789, 10.0, 15.0, 0.5, 0.87648),
        (16_384, 0.0065, 2.0, 5.0, 0.1, 0.65412),
    ];
    for (nodes, rate, restart, interval, write, ettr) in rows {
        let minutes = |m: f64| Seconds(m * 60.0);
        let value = expected_ettr(job_mttf(nodes, rate), minutes(restart), minutes(interval), minutes(write));
        near(value, ettr, 6e-6);
    }
}

#[test]
fn spare_servers_are_quantiles_of_servers_in_repair() {
    // Servers, failures per server-day, repair days, spares for 99 % and 99.9 %.
    let rows = [
        (48, 0.0065, 1.0, 2, 3),
        (2048, 0.0065, 1.0, 22, 26),
        (2048, 0.0065, 3.0, 55, 61),
        (3750, 0.0038, 2.0, 42, 46),
        (3750, 0.0065, 7.0, 202, 212),
    ];
    for (servers, rate, days, p99, p999) in rows {
        let repair = Seconds(days * SECONDS_PER_DAY);
        assert_eq!(spare_servers(servers, rate, repair, 0.99), p99);
        assert_eq!(spare_servers(servers, rate, repair, 0.999), p999);
    }
}

#[test]
fn availability_matches_the_pod_and_the_baseline_of_ub_mesh() {
    // arXiv 2503.20377: MTBF of 98.5 and 13.8 h, 75 min to repair, 13 min with monitoring.
    for (mtbf_hours, repair_minutes, share) in
        [(98.5, 75.0, 0.988), (13.8, 75.0, 0.916), (98.5, 13.0, 0.9978)]
    {
        near(availability(mtbf_hours, repair_minutes / 60.0), share, 1e-3);
    }
}

#[test]
fn checkpoints_of_bloom_take_40_seconds_and_a_share_of_0_37_percent() {
    // BLOOM-176B wrote 2.3 TB at 57.5 GB/s every three hours, training waiting (the public training chronicle).
    let plan = Checkpointing {
        size: Bytes(2.3e12),
        bandwidth: BytesPerSecond(57.5e9),
        stall: None,
        recovery: Seconds(300.0),
        interval: Some(Seconds(3.0 * 3600.0)),
        memory: None,
    };
    let time = goodput(Seconds(1e12), &plan);
    near(time.write.0, 40.0, 1e-9);
    near(time.checkpoint, 0.0037, 5e-5);
}
