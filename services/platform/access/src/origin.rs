//! The address that a call comes from: its peer's, or what a trusted proxy says.

use std::net::{IpAddr, Ipv6Addr};

use http::{Extensions, HeaderMap};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

/// Header in which proxies say whom they speak for; believed from trusted ones only.
const FORWARDED: &str = "x-forwarded-for";

/// Where a call comes from; an address belongs to somebody and is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Origin(Option<IpAddr>);

impl Origin {
    /// Where the call of this request comes from, by the word of these proxies and of nobody else.
    pub fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpAddr]) -> Self {
        let tcp = extensions.get::<TcpConnectInfo>();
        let tcp = tcp.or_else(|| extensions.get::<TlsConnectInfo<TcpConnectInfo>>().map(TlsConnectInfo::get_ref));
        let peer = tcp.and_then(TcpConnectInfo::remote_addr).map(|address| address.ip());
        // Several headers of one name are one list.
        let forwarded = headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok());
        Self::said(peer, forwarded, proxies)
    }

    /// The peer's address; where the peer is a trusted proxy, the last address of `forwarded` that is no proxy's. An entry that
    /// is no address ends the search: what stands before it was said by nobody that is trusted.
    fn said<'a>(peer: Option<IpAddr>, forwarded: impl DoubleEndedIterator<Item = &'a str>, proxies: &[IpAddr]) -> Self {
        let mut nearest = peer.map(|peer| peer.to_canonical());
        for entry in forwarded.rev().flat_map(|list| list.rsplit(',')) {
            if !nearest.is_some_and(|nearest| proxies.contains(&nearest)) {
                break;
            }
            let Ok(address) = entry.trim().parse::<IpAddr>() else { break };
            nearest = Some(address.to_canonical());
        }
        Self(nearest)
    }

    /// The address itself; `None` where the connection has none.
    pub fn address(self) -> Option<IpAddr> {
        self.0
    }

    /// What calls from here are counted by: a household has 2^64 addresses of IPv6, and one name.
    pub fn name(self) -> String {
        match self.0 {
            Some(IpAddr::V6(address)) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                format!("{}/64", Ipv6Addr::from_bits(network))
            }
            Some(address @ IpAddr::V4(_)) => address.to_string(),
            None => "unknown".to_owned(),
        }
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Origin(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, forwarded: Option<&str>, proxies: &[&str]) -> String {
        let proxies: Vec<IpAddr> = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        Origin::said(Some(peer.parse().unwrap()), forwarded.into_iter(), &proxies).name()
    }

    #[test]
    fn what_a_stranger_forwards_is_not_believed() {
        assert_eq!(origin("192.0.2.1", Some("198.51.100.7"), &[]), "192.0.2.1");
        assert_eq!(origin("192.0.2.1", Some("198.51.100.7"), &["192.0.2.2"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_says_who_came_to_it_and_no_more() {
        let of = |forwarded| origin("192.0.2.1", forwarded, &["192.0.2.1", "192.0.2.2"]);
        assert_eq!(of(None), "192.0.2.1");
        assert_eq!(of(Some("198.51.100.7")), "198.51.100.7");
        assert_eq!(
            of(Some("10.0.0.1, 198.51.100.7, 192.0.2.2")),
            "198.51.100.7",
            "10.0.0.1 is only what 198.51.100.7 says"
        );
        assert_eq!(of(Some("10.0.0.1, rubbish")), "192.0.2.1");
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED, "10.0.0.1".parse().unwrap());
        headers.append(FORWARDED, "198.51.100.7, 192.0.2.2".parse().unwrap());
        let lists = headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok());
        let proxies = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
        assert_eq!(Origin::said(Some(proxies[0]), lists, &proxies).name(), "198.51.100.7");
    }

    #[test]
    fn one_household_is_one_address() {
        assert_eq!(origin("2001:db8:1:2:3:4:5:6", None, &[]), "2001:db8:1:2::/64");
        assert_eq!(origin("::ffff:192.0.2.1", None, &[]), "192.0.2.1");
        assert_eq!(Origin::said(None, [].into_iter(), &[]).name(), "unknown");
    }

    #[test]
    fn an_address_does_not_show_itself() {
        let origin = Origin::said(Some(IpAddr::from([192, 0, 2, 1])), [].into_iter(), &[]);
        assert_eq!(format!("{origin:?}"), "Origin(…)");
    }
}
