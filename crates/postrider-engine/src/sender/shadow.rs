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
    let made = call.target.http().zip(http::request_of(call));
    let request = made.map(|(prepared, request)| shadow::record(prepared, &request));
    // Other kinds have no request, and their address no credentials.
    let request = request.unwrap_or_else(|| ShadowRequest {
        url: call.target.destination.address(),
        ..ShadowRequest::default()
    });
    let report = Report::delivered(shadow::NOT_SENT);
    Report { response: report.response.shadowed(&request), ..report }
}
