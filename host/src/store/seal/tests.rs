use super::*;

fn keys() -> StoreKeys {
    StoreKeys::parse(Some(&StoreKeys::fresh().expect("random bytes")), None).expect("a key")
}

fn sealed(keys: &StoreKeys, value: Cell<'static>) -> Cell<'static> {
    keys.seal("a", &[Cell::Int(1)], value).expect("seals")
}

fn opened(keys: &StoreKeys, stored: &Cell<'static>, row: i64) -> anyhow::Result<Cell<'static>> {
    keys.unseal("a", &[Cell::Int(row)], stored.clone())
}

fn text() -> Cell<'static> {
    Cell::from("John Do")
}

fn bytes(bytes: &[u8]) -> Cell<'static> {
    Cell::from(bytes.to_vec())
}

#[test]
fn what_is_sealed_opens_in_its_own_row_only() {
    let keys = keys();
    for value in [text(), bytes(b"John Do"), bytes(b"")] {
        let stored = sealed(&keys, value.clone());
        let Cell::Bytes(inner) = &stored else { panic!("sealed values are bytes") };
        assert!(!inner.windows(4).any(|part| part == b"John"));
        assert_eq!(opened(&keys, &stored, 1).expect("opens"), value);
        assert!(opened(&keys, &stored, 2).is_err(), "it was moved to another row");
    }
    assert_eq!(sealed(&keys, Cell::Null), Cell::Null);
}

#[test]
fn what_is_bound_to_a_value_stays_as_it_was() {
    let row = [Cell::Int(1), "x".into(), bytes(&[7]), Cell::Null];
    let parts: [&[u8]; 5] = [b"a.b", &1_i64.to_be_bytes(), b"x", &[7], b""];
    let expected: Vec<u8> =
        parts.iter().flat_map(|part| [&part.len().to_be_bytes()[..], part].concat()).collect();
    assert_eq!(place("a.b", &row), expected);
}

#[test]
fn one_changed_byte_is_noticed() {
    let keys = keys();
    let Cell::Bytes(stored) = sealed(&keys, text()) else { panic!("bytes") };
    for place in MARK.len()..stored.len() {
        let mut changed = stored.to_vec();
        changed[place] ^= 1;
        assert!(opened(&keys, &Cell::from(changed), 1).is_err(), "byte {place}");
    }
}

#[test]
fn the_same_value_is_never_sealed_to_the_same_bytes() {
    let keys = keys();
    assert_ne!(sealed(&keys, text()), sealed(&keys, text()));
}

#[test]
fn without_a_key_values_are_as_they_are_and_none_is_taken_for_sealed() {
    let keys = StoreKeys::default();
    let odd = bytes(&[&MARK, &[TEXT, 7][..]].concat());
    for value in [text(), bytes(b"x"), Cell::Null, odd.clone()] {
        assert_eq!(opened(&keys, &sealed(&keys, value.clone()), 1).expect("opens"), value);
    }
    assert_ne!(sealed(&keys, odd.clone()), odd);
    assert_eq!(sealed(&keys, bytes(b"x")), bytes(b"x"));
}

#[test]
fn an_older_key_is_read_with_and_a_missing_one_is_asked_for() {
    let fresh = || StoreKeys::fresh().expect("random bytes");
    let (first, second) = (fresh(), fresh());
    let only = |key: &str| StoreKeys::parse(Some(key), None).expect("a key");
    let stored = sealed(&only(&first), text());
    let both = StoreKeys::parse(Some(&second), Some(&format!("{}, {first}", fresh()))).expect("keys");
    assert_eq!(opened(&both, &stored, 1).expect("opens"), text());
    assert!(opened(&only(&second), &stored, 1).is_err());
    let needed = [only(&first).written_with().expect("a key").to_vec()];
    assert!(both.fit(&needed).is_ok());
    let error = format!("{:#}", only(&second).fit(&needed).expect_err("is refused"));
    assert!(error.contains("TIDEGATE_STORE_KEY"), "{error}");
    assert!(StoreKeys::parse(Some("c2hvcnQ="), None).is_err());
    let error = format!("{:#}", StoreKeys::parse(None, Some(&first)).expect_err("is refused"));
    assert!(error.contains("TIDEGATE_STORE_KEY") && !error.contains(&first), "{error}");
}
