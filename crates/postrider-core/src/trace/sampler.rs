//! Which traces are recorded.

use super::context::{TraceContext, TraceId};

/// The number of trace ids, as a sampler counts them: by 63 of their bits.
const IDS: f64 = 9_223_372_036_854_775_808.0;

/// Decides which traces are recorded, as `OTEL_TRACES_SAMPLER` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    root: Root,
    /// A span with a parent is recorded if its parent is.
    follows_parent: bool,
}

/// Which traces without a parent are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Root {
    All,
    None,
    /// Those whose id, as a number, is less than this.
    Below(u64),
}

impl Default for Sampler {
    fn default() -> Self {
        Self { root: Root::All, follows_parent: true }
    }
}

impl Sampler {
    /// The sampler with this name in `OTEL_TRACES_SAMPLER` and argument in
    /// `OTEL_TRACES_SAMPLER_ARG`.
    ///
    /// # Errors
    ///
    /// Which of the two is not valid, and why.
    pub fn parse(name: &str, argument: Option<&str>) -> Result<Self, SamplerProblem> {
        let (root, follows_parent) = match name.strip_prefix("parentbased_") {
            Some(root) => (root, true),
            None => (name, false),
        };
        let root = match root {
            "always_on" => Root::All,
            "always_off" => Root::None,
            "traceidratio" => Root::of_ratio(argument)?,
            _ => return Err(SamplerProblem::Name),
        };
        Ok(Self { root, follows_parent })
    }

    /// Whether a span of the trace is recorded. `parent` is the span above it, or the one that it
    /// continues without being in its trace.
    pub fn records(&self, trace_id: TraceId, parent: Option<&TraceContext>) -> bool {
        match parent {
            Some(parent) if self.follows_parent => parent.is_sampled(),
            _ => self.root.records(trace_id),
        }
    }
}

/// What is wrong with the variables of the sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplerProblem {
    Name,
    Argument,
}

impl Root {
    fn of_ratio(argument: Option<&str>) -> Result<Self, SamplerProblem> {
        let ratio: f64 = match argument {
            None => 1.0,
            Some(text) => text.parse().map_err(|_| SamplerProblem::Argument)?,
        };
        if !(0.0..=1.0).contains(&ratio) {
            return Err(SamplerProblem::Argument);
        }
        if ratio >= 1.0 {
            return Ok(Self::All);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^63")]
        let below = (ratio * IDS) as u64;
        Ok(Self::Below(below))
    }

    fn records(self, TraceId(id): TraceId) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            // The bits that other implementations use, so that they decide the same.
            Self::Below(limit) => {
                let bits = u128::from_be_bytes(id) & u128::from(u64::MAX);
                bits >> 1 < u128::from(limit)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::context::SpanId;

    #[test]
    fn a_parent_decides_if_the_sampler_follows_it() {
        let id = |last: u8| TraceId([last; 16]);
        let parent = |is_sampled| TraceContext::new(id(1), SpanId([1; 8]), is_sampled);
        let (yes, no) = (parent(true), parent(false));
        for (name, argument, root, sampled, unsampled) in [
            ("always_on", None, true, true, true),
            ("always_off", None, false, false, false),
            ("parentbased_always_on", None, true, true, false),
            ("parentbased_always_off", None, false, true, false),
            ("traceidratio", Some("0"), false, false, false),
            ("traceidratio", Some("1.0"), true, true, true),
            ("traceidratio", None, true, true, true),
            ("parentbased_traceidratio", Some("0.0"), false, true, false),
        ] {
            let sampler = Sampler::parse(name, argument).unwrap();
            let found = [None, Some(&yes), Some(&no)].map(|it| sampler.records(id(9), it));
            assert_eq!(found, [root, sampled, unsampled], "{name} {argument:?}");
        }
        assert_eq!(Sampler::parse("parentbased_always_on", None), Ok(Sampler::default()));
    }

    #[test]
    fn a_ratio_selects_its_part_of_the_ids() {
        let sampler = Sampler::parse("traceidratio", Some("0.25")).unwrap();
        let count = (0..=255_u8).filter(|it| {
            let mut id = [0xff; 16];
            id[8] = *it;
            sampler.records(TraceId(id), None)
        });
        assert_eq!(count.count(), 64);
    }

    #[test]
    fn invalid_values_are_refused() {
        for (name, argument, problem) in [
            ("jaeger_remote", None, SamplerProblem::Name),
            ("parentbased_", None, SamplerProblem::Name),
            ("traceidratio", Some("x"), SamplerProblem::Argument),
            ("traceidratio", Some("1.1"), SamplerProblem::Argument),
            ("traceidratio", Some("-0.1"), SamplerProblem::Argument),
            ("traceidratio", Some("NaN"), SamplerProblem::Argument),
        ] {
            assert_eq!(Sampler::parse(name, argument), Err(problem), "{name} {argument:?}");
        }
    }
}
