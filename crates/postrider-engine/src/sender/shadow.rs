//! Makes the deliveries of applications in shadow mode: up to the request, which is recorded and not
//! sent.

use postrider_core::{delivery::ShadowRequest, outcome::Failure, shadow};

use super::{Call, Report, Shaper, http, shape};

/// Records what would have been sent, after the endpoint's transformation.
pub(crate) async fn record(shaper: Option<Shaper>, call: Call) -> Report {
    if call.target.script.is_none() {
        return report(&call);
    }
    match shaper {
        Some(shaper) => shaper.deliver(call, async |call| report(&call)).await,
        None => Report::failed(Failure::Transformation, shape::UNAVAILABLE),
    }
}

fn report(call: &Call) -> Report {
    let request = match (call.target.http(), http::request_of(call)) {
        (Some(prepared), Some(request)) => shadow::record(prepared, &request),
        // Other kinds have no request, and their address no credentials.
        (None, _) | (_, None) => {
            let url = call.target.destination.address();
            ShadowRequest { url, ..ShadowRequest::default() }
        },
    };
    let report = Report::delivered(shadow::NOT_SENT);
    Report { response: report.response.shadowed(&request), ..report }
}
