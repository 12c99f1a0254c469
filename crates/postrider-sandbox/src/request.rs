//! What a sandbox sends to a worker.

use crate::{
    frame::{Decoder, Encoder, Malformed},
    options::Limits,
};

const CONFIGURE: u8 = 0;
const RUN: u8 = 1;
const CHECK: u8 = 2;

/// A request, borrowed from its frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    /// The first request. The worker locks itself down and reports that it is ready.
    Configure(Limits),
    Run(RunRequest<'a>),
    Check {
        script: &'a str,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunRequest<'a> {
    pub(crate) script: &'a str,
    pub(crate) read_only: Vec<&'a str>,
    pub(crate) argument: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Configure(limits) => {
                let limits = serde_json::to_vec(limits).expect("limits are numbers");
                Encoder::new(CONFIGURE).rest(&limits).finish()
            },
            Self::Run(run) => {
                let count = u8::try_from(run.read_only.len()).expect("names are few");
                let names = Encoder::new(RUN).byte(count);
                let names = run.read_only.iter().fold(names, |frame, name| frame.text(name));
                names.text(run.script).rest(run.argument).finish()
            },
            Self::Check { script } => Encoder::new(CHECK).rest(script.as_bytes()).finish(),
        }
    }

    pub(crate) fn decode(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder(content);
        match decoder.byte()? {
            CONFIGURE => {
                serde_json::from_slice(decoder.rest()).map(Self::Configure).map_err(|_| Malformed)
            },
            RUN => {
                let names = (0..decoder.byte()?).map(|_| decoder.text());
                let read_only = names.collect::<Result<_, _>>()?;
                let script = decoder.text()?;
                Ok(Self::Run(RunRequest { script, read_only, argument: decoder.rest() }))
            },
            CHECK => std::str::from_utf8(decoder.rest())
                .map(|script| Self::Check { script })
                .map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Launch, SandboxOptions};

    #[track_caller]
    fn check(request: &Request<'_>) {
        let frame = request.encode();
        assert_eq!(Request::decode(&frame[4..]).as_ref(), Ok(request));
    }

    #[test]
    fn requests_are_read_as_they_were_written() {
        check(&Request::Configure(SandboxOptions::new(Launch::Thread).limits()));
        check(&Request::Check { script: "function handler() {}" });
        let read_only = vec!["eventType", "env"];
        check(&Request::Run(RunRequest { script: "a", read_only, argument: b"{\"a\":1}" }));
        check(&Request::Run(RunRequest { script: "", read_only: Vec::new(), argument: b"" }));
    }

    #[test]
    fn other_requests_are_malformed() {
        assert_eq!(Request::decode(&[]), Err(Malformed));
        assert_eq!(Request::decode(&[9]), Err(Malformed));
        assert_eq!(Request::decode(&[RUN, 1]), Err(Malformed));
        assert_eq!(Request::decode(b"\0{}"), Err(Malformed));
    }
}
