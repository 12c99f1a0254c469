//! Tells requests who sent them, where that matters.

use std::net::IpAddr;

use http::Request;
use hyper::service::Service;

use crate::relay;

/// The other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A service with the address that its connection comes from.
#[derive(Clone, Debug)]
pub(super) struct WithPeer<S> {
    pub(super) inner: S,
    pub(super) peer: IpAddr,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<B>) -> S::Future {
        if relay::is_path(request.uri().path()) {
            request.extensions_mut().insert(Peer(self.peer));
        }
        self.inner.call(request)
    }
}
