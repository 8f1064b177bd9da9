//! Addresses in all their spellings: what may be dialled is public, however its text was written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tidegate::effect::HostGrant;
use tidegate::executor::address::{Loopback, is_dialable, is_public};
use url::{Host, Url};

/// Takes a host as it stands in a URL, and as the bytes of an address.
///
/// # Panics
/// When an address that is not public could be dialled.
pub fn check(bytes: &[u8]) {
    if let Some((first, _)) = bytes.split_first_chunk::<4>() {
        address(Ipv4Addr::from_octets(*first).into());
    }
    if let Some((first, _)) = bytes.split_first_chunk::<16>() {
        address(Ipv6Addr::from_octets(*first).into());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let granted = HostGrant::parse(text);
    if let Ok(granted) = &granted {
        assert_eq!(HostGrant::parse(&granted.to_string()).as_ref(), Ok(granted), "{text}");
    }
    let Ok(url) = Url::parse(&format!("http://{text}/")) else { return };
    let spelled = match url.host() {
        Some(Host::Ipv4(found)) => IpAddr::V4(found),
        Some(Host::Ipv6(found)) => IpAddr::V6(found),
        Some(Host::Domain(name)) => {
            assert!(name.parse::<IpAddr>().is_err(), "{text} is the address {name} and passes for a name");
            return;
        }
        None => return,
    };
    address(spelled);
    if let Ok(granted) = granted {
        let shown = granted.to_string();
        let host = url.host_str().unwrap_or_default();
        assert!(shown.starts_with(host), "{text} is granted as {shown} and dialled as {host}");
    }
}

fn address(address: IpAddr) {
    let is_special = match address {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.to_ipv4().is_some()
        }
    };
    assert!(!(is_special && is_public(address)), "{address} is special and passes for public");
    assert_eq!(is_dialable(address, Loopback::Refused), is_public(address));
    let opened = is_dialable(address, Loopback::Allowed) && !is_public(address);
    assert_eq!(opened, address.is_loopback(), "{address}: only loopback is opened");
}

fn is_special_v4(v4: Ipv4Addr) -> bool {
    v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_unspecified()
}
