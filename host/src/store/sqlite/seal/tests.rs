use super::*;

fn keys() -> StoreKeys {
    StoreKeys::parse(Some(&StoreKeys::fresh().expect("random bytes")), None).expect("a key")
}

fn connection(keys: &StoreKeys) -> Connection {
    let db = Connection::open_in_memory().expect("opens");
    keys.give_to(&db).expect("takes functions");
    db
}

fn sealed(keys: &StoreKeys, value: &Value) -> Value {
    let stored = keys.seal("a", &[ValueRef::Integer(1)], value.into()).expect("seals");
    match stored {
        ToSqlOutput::Owned(value) => value,
        ToSqlOutput::Borrowed(value) => Value::try_from(value).expect("text is UTF-8"),
        other => panic!("{other:?}"),
    }
}

fn opened(db: &Connection, value: &Value, row: i64) -> rusqlite::Result<Value> {
    db.query_row("SELECT unseal(?1, 'a', ?2)", params![value, row], |row| row.get(0))
}

#[test]
fn what_is_sealed_opens_in_its_own_row_only() {
    let keys = keys();
    let db = connection(&keys);
    for value in [Value::Text("John Do".into()), Value::Blob(b"John Do".to_vec()), Value::Blob(vec![])] {
        let stored = sealed(&keys, &value);
        let Value::Blob(bytes) = &stored else { panic!("sealed values are bytes") };
        assert!(!bytes.windows(4).any(|part| part == b"John"));
        assert_eq!(opened(&db, &stored, 1).expect("opens"), value);
        assert!(opened(&db, &stored, 2).is_err(), "it was moved to another row");
    }
    assert_eq!(sealed(&keys, &Value::Null), Value::Null);
}

#[test]
fn one_changed_byte_is_noticed() {
    let keys = keys();
    let db = connection(&keys);
    let Value::Blob(stored) = sealed(&keys, &Value::Text("John Do".into())) else { panic!("bytes") };
    // Behind the mark, the form and the key's id.
    for place in MARK.len() + 2..stored.len() {
        let mut changed = stored.clone();
        changed[place] ^= 1;
        assert!(opened(&db, &Value::Blob(changed), 1).is_err(), "byte {place}");
    }
}

#[test]
fn the_same_value_is_never_sealed_to_the_same_bytes() {
    let (keys, text) = (keys(), Value::Text("John Do".into()));
    assert_ne!(sealed(&keys, &text), sealed(&keys, &text));
}

#[test]
fn without_a_key_values_are_as_they_are_and_none_is_taken_for_sealed() {
    let keys = StoreKeys::default();
    let db = connection(&keys);
    let odd = Value::Blob([&MARK, &[TEXT, 7][..]].concat());
    for value in [Value::Text("x".into()), Value::Blob(b"x".to_vec()), Value::Null, odd.clone()] {
        assert_eq!(opened(&db, &sealed(&keys, &value), 1).expect("opens"), value);
    }
    assert_ne!(sealed(&keys, &odd), odd);
    let plain = Value::Blob(b"x".to_vec());
    assert_eq!(sealed(&keys, &plain), plain);
}

#[test]
fn an_older_key_is_read_with_and_a_missing_one_is_asked_for() {
    let fresh = || StoreKeys::fresh().expect("random bytes");
    let (first, second) = (fresh(), fresh());
    let only = |key: &str| StoreKeys::parse(Some(key), None).expect("a key");
    let stored = sealed(&only(&first), &Value::Text("x".into()));
    let both = StoreKeys::parse(Some(&second), Some(&format!("{}, {first}", fresh()))).expect("keys");
    assert_eq!(opened(&connection(&both), &stored, 1).expect("opens"), Value::Text("x".into()));
    assert!(opened(&connection(&only(&second)), &stored, 1).is_err());
    assert!(StoreKeys::parse(Some("c2hvcnQ="), None).is_err());
    let error = format!("{:#}", StoreKeys::parse(None, Some(&first)).expect_err("is refused"));
    assert!(error.contains("TIDEGATE_STORE_KEY") && !error.contains(&first), "{error}");
}
