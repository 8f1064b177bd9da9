//! Which addresses may be dialled. Knows nothing of requests beyond the host they go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
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
    /// Tidegate itself listens there.
    #[error("`{0}` is where Tidegate itself listens: effects do not go there")]
    Own(String),
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

/// What may be dialled: an address by what it is, a port by who listens there. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Egress {
    loopback: Loopback,
    /// Where this process itself listens.
    own: Arc<[SocketAddr]>,
}

/// Whether the resolver may give out addresses of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// It may, where the rules do: nothing of ours listens on the port.
    Others,
    /// It may not: something of ours does.
    Own,
}

impl Egress {
    pub(super) fn new(loopback: Loopback, own: &[SocketAddr]) -> Self {
        Self { loopback, own: own.into() }
    }

    /// Refuses a URL whose host is an address that may not be dialled; a name passes, the resolver sees to it.
    pub(super) fn check_literal(&self, url: &Url) -> Result<(), RefusedAddress> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if !is_dialable(address, self.loopback) {
            return Err(RefusedAddress::Literal(address));
        }
        if self.port(url) == Port::Own && self.is_own(address) {
            return Err(RefusedAddress::Own(url.authority().to_owned()));
        }
        Ok(())
    }

    /// Whose the URL's port is.
    pub(super) fn port(&self, url: &Url) -> Port {
        let port = url.port_or_known_default();
        if self.own.iter().any(|own| Some(own.port()) == port) { Port::Own } else { Port::Others }
    }

    /// Of a name's addresses, one at least, those that may be dialled on a port.
    ///
    /// # Errors
    /// When there are none among them.
    pub(super) fn keep_dialable(
        &self,
        name: &str,
        found: Vec<SocketAddr>,
        port: Port,
    ) -> Result<Vec<SocketAddr>, RefusedAddress> {
        let first = found.first().map(SocketAddr::ip);
        let mut dialable = found;
        dialable.retain(|address| is_dialable(address.ip(), self.loopback));
        if dialable.is_empty()
            && let Some(address) = first
        {
            return Err(RefusedAddress::Resolved { name: name.to_owned(), address });
        }
        if port == Port::Own {
            dialable.retain(|address| !self.is_own(address.ip()));
        }
        if dialable.is_empty() { Err(RefusedAddress::Own(name.to_owned())) } else { Ok(dialable) }
    }

    /// Whether this process listens on the address. One that listens on all of a machine's listens on any that a socket
    /// can be bound to.
    fn is_own(&self, address: IpAddr) -> bool {
        let is_here = || UdpSocket::bind((address, 0)).is_ok();
        self.own.iter().any(|own| own.ip() == address || (own.ip().is_unspecified() && is_here()))
    }
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

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(parse(text), 0)).collect()
    }

    #[test]
    fn of_a_names_addresses_only_public_ones_are_dialled() {
        let closed = Egress::new(Loopback::Refused, &[]);
        let mixed = addresses(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"]);
        let kept = closed.keep_dialable("mixed.example", mixed, Port::Others).expect("two are public");
        assert_eq!(kept, addresses(&["8.8.8.8", "2606:4700::1111"]));

        let private = addresses(&["169.254.169.254", "10.0.0.1"]);
        let open = Egress::new(Loopback::Allowed, &[]);
        let refused =
            open.keep_dialable("metadata.example", private, Port::Others).expect_err("none is public");
        assert_eq!(
            refused.to_string(),
            "`metadata.example` resolves to 169.254.169.254, which is private or special: only public addresses \
             are dialled"
        );
    }

    #[test]
    fn our_own_ports_are_refused_on_every_address_we_listen_on() {
        let own = |text: &str| text.parse::<SocketAddr>().expect(text);
        for (listens, url, is_refused) in [
            ("127.0.0.1:8790", "http://127.0.0.1:8790/", true),
            ("127.0.0.1:8790", "http://127.1:8790/", true),
            ("127.0.0.1:8790", "http://127.0.0.1:8791/", false),
            ("127.0.0.1:80", "http://127.0.0.1/", true),
            ("127.0.0.1:443", "https://2130706433/", true),
            ("127.0.0.1:8790", "http://127.0.0.2:8790/", false),
            ("[::1]:8790", "http://[0:0::1]:8790/", true),
            // Who listens on all addresses listens on these, and not on another machine's.
            ("0.0.0.0:8790", "http://127.0.0.2:8790/", true),
            ("0.0.0.0:8790", "http://8.8.8.8:8790/", false),
        ] {
            let egress = Egress::new(Loopback::Allowed, &[own(listens)]);
            let checked = egress.check_literal(&Url::parse(url).expect(url));
            assert_eq!(checked.is_err(), is_refused, "{url} while listening on {listens}: {checked:?}");
        }
        let egress = Egress::new(Loopback::Allowed, &[own("127.0.0.1:8790")]);
        let both = addresses(&["127.0.0.1", "8.8.8.8"]);
        let kept = |port| egress.keep_dialable("both.example", both.clone(), port).expect("one is left");
        assert_eq!((kept(Port::Others).len(), kept(Port::Own)), (2, addresses(&["8.8.8.8"])));
        let ours = egress.keep_dialable("localhost", addresses(&["127.0.0.1"]), Port::Own);
        assert_eq!(ours, Err(RefusedAddress::Own("localhost".to_owned())));
    }
}
