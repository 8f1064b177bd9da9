//! Tokens: who is who, when, and what a new one does to an old one.

use super::*;

fn token(name: &str, role: Role, text: &str) -> KeptToken {
    KeptToken {
        name: name.to_owned(),
        role,
        sha256: Digest::of(text.as_bytes()),
        before: None,
        made_at_ms: 0,
        until_ms: None,
    }
}

fn who(tokens: &Tokens, text: &str, now_ms: u64) -> Option<(String, Role)> {
    tokens.caller(text.as_bytes(), now_ms).map(|caller| (caller.name, caller.role))
}

#[test]
fn a_token_is_its_holders_and_nobody_elses() {
    let tokens = Tokens::new(vec![token("ann", Role::Admin, "a"), token("bob", Role::Read, "b")]);
    assert_eq!(who(&tokens, "a", 0), Some(("ann".into(), Role::Admin)));
    assert_eq!(who(&tokens, "b", 0), Some(("bob".into(), Role::Read)));
    for other in ["", "c", "A", "a "] {
        assert_eq!(who(&tokens, other, 0), None, "{other}");
    }
}

#[test]
fn a_token_ends_at_its_time() {
    let ends = KeptToken { until_ms: Some(10), ..token("ann", Role::Read, "a") };
    let tokens = Tokens::new(vec![ends]);
    assert!(who(&tokens, "a", 9).is_some() && who(&tokens, "a", 10).is_none());
}

#[test]
fn the_token_before_counts_until_the_overlap_ends() {
    let mut tokens = Tokens::new(vec![token("ann", Role::Operate, "old")]);
    let rotated = tokens.find("ann").expect("is there").rotated(Digest::of(b"new"), 100, 200);
    tokens.put(rotated);
    assert!(who(&tokens, "new", 100).is_some() && who(&tokens, "old", 199).is_some());
    assert!(who(&tokens, "old", 200).is_none() && who(&tokens, "new", 200).is_some());
    let at_once = tokens.find("ann").expect("is there").rotated(Digest::of(b"third"), 200, 200);
    assert_eq!(at_once.before, None, "no overlap was asked for");
    tokens.put(at_once);
    assert!(who(&tokens, "new", 200).is_none() && who(&tokens, "third", 200).is_some());
    assert_eq!(tokens.iter().count(), 1);
}

#[test]
fn a_name_is_given_once_and_is_a_name() {
    let mut tokens = Tokens::new(vec![token("ann", Role::Read, "a")]);
    assert_eq!(tokens.admit("bob"), Ok(()));
    assert_eq!(tokens.admit("ann"), Err(AccessError::Known("ann".into())));
    for name in ["", "Ann", "-a", LOCAL, "a b"] {
        assert_eq!(tokens.admit(name), Err(AccessError::Name(name.into())), "{name}");
    }
    for number in tokens.iter().count()..TOKENS_MAX {
        tokens.put(token(&format!("t{number}"), Role::Read, &number.to_string()));
    }
    assert_eq!(tokens.admit("bob"), Err(AccessError::TooMany));
    tokens.remove("ann");
    assert_eq!((tokens.admit("bob"), tokens.find("ann").is_err()), (Ok(()), true));
}

#[test]
fn a_higher_role_may_what_a_lower_one_may() {
    assert!(Role::Read < Role::Operate && Role::Operate < Role::Admin);
    for role in [Role::Read, Role::Operate, Role::Admin] {
        assert_eq!(Role::named(role.word()), Some(role));
    }
    assert_eq!(Role::named("root"), None);
}
