//! The address that a request comes from, for the limits that count by it.

use tonic::Request;

use crate::domain::origin::Origin;
use crate::handle::Handle;

/// Header in which proxies say whom they speak for; believed from trusted ones only.
const FORWARDED: &str = "x-forwarded-for";

pub(super) fn of<T>(request: &Request<T>, handle: &Handle) -> Origin {
    // Several headers of one name are one list.
    let forwarded: Vec<&str> =
        request.metadata().get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok()).collect();
    let forwarded = forwarded.join(",");
    let peer = request.remote_addr().map(|address| address.ip());
    Origin::of(peer, (!forwarded.is_empty()).then_some(forwarded.as_str()), &handle.proxies)
}
