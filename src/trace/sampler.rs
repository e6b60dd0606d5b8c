//! Which traces are recorded: those of a session and documentation traces always, others by ratio.

use super::Kind;

/// Whether a root trace with this id is recorded. The ratio counts on the low 64 bits of the id, as the OpenTelemetry
/// SDKs do it, so that every service of a trace decides alike. A ratio that is not a number records nothing.
pub fn should_sample(trace_id: &[u8; 16], ratio: f64) -> bool {
    Kind::of(trace_id) != Kind::None || ratio_keeps(trace_id, ratio)
}

fn ratio_keeps(trace_id: &[u8; 16], ratio: f64) -> bool {
    if ratio >= 1.0 {
        return true;
    }
    let bound = (ratio.max(0.0) * (1u64 << 63) as f64) as u64;
    let [.., a, b, c, d, e, f, g, h] = *trace_id;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1 < bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TraceId;
    use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};

    #[test]
    fn a_session_is_kept_whatever_the_ratio() {
        for prefix in
            [[0xde, 0xbd, 0xeb], [0xcd, 0xbc, 0xdb], [0xde, 0xbc, 0xdb], [0xcd, 0xbc, 0xac], [0xd0, 0xcd, 0x0c]]
        {
            let mut id = [0xff; 16];
            id[..3].copy_from_slice(&prefix);
            assert!(should_sample(&id, 0.0));
            assert!(should_sample(&id, f64::NAN));
        }
        assert!(!should_sample(&[0x11; 16], 0.0));
        assert!(!should_sample(&[0; 16], f64::NAN));
    }

    #[test]
    fn the_ratio_decides_as_opentelemetry_does() {
        for ratio in [0.0, 1e-9, 0.1, 0.5, 0.999, 1.0, 2.0, -1.0] {
            let theirs = Sampler::TraceIdRatioBased(ratio);
            for _ in 0..2_000 {
                let id = super::super::ids::trace_id();
                if Kind::of(&id) != Kind::None {
                    continue;
                }
                let kind = opentelemetry::trace::SpanKind::Internal;
                let decision = theirs.should_sample(None, TraceId::from_bytes(id), "", &kind, &[], &[]).decision;
                assert_eq!(should_sample(&id, ratio), decision == SamplingDecision::RecordAndSample, "{ratio}");
            }
        }
    }
}
