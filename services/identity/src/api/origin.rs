//! The address that a request comes from, for the limits that count by it.

use access::Origin;
use tonic::Request;

use crate::handle::Handle;

pub(super) fn of<T>(request: &Request<T>, handle: &Handle) -> Origin {
    Origin::of(request.extensions(), request.metadata().as_ref(), &handle.proxies)
}
