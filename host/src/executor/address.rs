//! Which addresses may be dialled. Knows nothing of requests beyond the host they go to.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// Whether a loopback address (127.0.0.0/8, `::1`) may be dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loopback {
    /// No.
    #[default]
    Refused,
    /// Yes: for development, where the targets run on the same machine. Nothing else opens with it.
    Allowed,
}

/// What to set where one setting would open the address.
fn hint(address: IpAddr) -> &'static str {
    if address.is_loopback() { " (executor.allow_loopback opens loopback, for development)" } else { "" }
}

/// A host that is, or has, only addresses that are not dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedAddress {
    /// The URL's host is an address.
    #[error("address {0} is private or special: only public addresses are dialled{hint}", hint = hint(*.0))]
    Literal(IpAddr),
    /// The URL's host is a name.
    #[error(
        "`{name}` resolves to {address}, which is private or special: only public addresses are dialled{hint}",
        hint = hint(*.address)
    )]
    Resolved {
        /// The name.
        name: String,
        /// The first of its addresses.
        address: IpAddr,
    },
}

/// The address blocks that are not dialled, beside those the standard library names: the special-purpose
/// registries of IANA (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>), class E, and relay anycast. Cloud metadata
/// services live in link-local and unique-local blocks.
const REFUSED_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, class E and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// All that is global unicast in IPv6. Outside it lie loopback, unspecified, link-local, unique-local and
/// multicast addresses, and those that hold an IPv4 address: mapped, compatible and NAT64.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is special inside [`GLOBAL_V6`]: protocol assignments (Teredo and ORCHID among them), documentation
/// twice, and 6to4.
const REFUSED_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet's.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !REFUSED_V4.iter().any(|(block, bits)| shares_prefix(&address.octets(), &block.octets(), *bits))
        }
        IpAddr::V6(address) => {
            let is_in =
                |(block, bits): &(Ipv6Addr, u32)| shares_prefix(&address.octets(), &block.octets(), *bits);
            is_in(&GLOBAL_V6) && !REFUSED_V6.iter().any(is_in)
        }
    }
}

/// Whether an address may be dialled.
#[must_use]
pub fn is_dialable(address: IpAddr, loopback: Loopback) -> bool {
    is_public(address) || (loopback == Loopback::Allowed && address.is_loopback())
}

/// Refuses a URL whose host is an address that may not be dialled; a name passes, the resolver sees to it.
pub(super) fn check_literal(url: &Url, loopback: Loopback) -> Result<(), RefusedAddress> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if is_dialable(address, loopback) { Ok(()) } else { Err(RefusedAddress::Literal(address)) }
}

/// Looks names up as the system does and gives out only addresses that may be dialled: what it leaves out, the
/// client cannot connect to, whatever the name says a moment later.
pub(super) struct PublicResolver {
    loopback: Loopback,
}

impl PublicResolver {
    pub(super) const fn new(loopback: Loopback) -> Self {
        Self { loopback }
    }
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let dialable = keep_dialable(name.as_str(), found.collect(), loopback)?;
            let addresses: Addrs = Box::new(dialable.into_iter());
            Ok(addresses)
        })
    }
}

fn keep_dialable(
    name: &str,
    found: Vec<SocketAddr>,
    loopback: Loopback,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let Some(first) = found.first().map(SocketAddr::ip) else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
    };
    let mut dialable = found;
    dialable.retain(|address| is_dialable(address.ip(), loopback));
    if dialable.is_empty() {
        return Err(RefusedAddress::Resolved { name: name.to_owned(), address: first }.into());
    }
    Ok(dialable)
}

fn shares_prefix(address: &[u8], block: &[u8], bits: u32) -> bool {
    let mut bits = bits;
    address.iter().zip(block).all(|(left, right)| {
        let compared = bits.min(8);
        bits -= compared;
        (left ^ right).leading_zeros() >= compared
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn private_and_special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(parse(text)), "{text}");
        }
    }

    #[test]
    fn neighbours_of_special_blocks_are_public() {
        for text in [
            "1.0.0.0",
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.112.255",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700:4700::1111",
            "2fff::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert!(is_public(parse(text)), "{text}");
        }
    }

    #[test]
    fn the_setting_for_development_opens_loopback_and_nothing_else() {
        for (text, is_open) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", false),
            ("0.0.0.0", false),
            ("::", false),
            ("10.0.0.1", false),
            ("169.254.169.254", false),
            ("fd00::1", false),
            ("8.8.8.8", true),
        ] {
            assert_eq!(is_dialable(parse(text), Loopback::Allowed), is_open, "{text}");
        }
    }

    #[test]
    fn of_a_names_addresses_only_public_ones_are_dialled() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| SocketAddr::new(parse(text), 0)).collect()
        };
        let mixed = addresses(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"]);
        let kept = keep_dialable("mixed.example", mixed, Loopback::Refused).expect("two are public");
        assert_eq!(kept, addresses(&["8.8.8.8", "2606:4700::1111"]));

        let private = addresses(&["169.254.169.254", "10.0.0.1"]);
        let refused =
            keep_dialable("metadata.example", private, Loopback::Allowed).expect_err("none is public");
        assert_eq!(
            refused.to_string(),
            "`metadata.example` resolves to 169.254.169.254, which is private or special: only public addresses \
             are dialled"
        );
        let nothing = keep_dialable("empty.example", vec![], Loopback::Refused).expect_err("no address");
        assert!(!nothing.is::<RefusedAddress>(), "a name without addresses may get one later");
    }
}
