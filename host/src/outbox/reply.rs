//! What a plugin is told of the response it asked for. Pure.

use crate::effect::Effect;
use crate::event::Cause;
use crate::executor::{Attempt, Outcome};
use crate::store::EffectState;
use crate::store::outbox::Origin;
use crate::upcoming::{self, Upcoming};

/// The event that tells of an effect's end: that it is done, or why it was given up. `None` while it has not ended, or
/// when nobody asked for it.
pub(super) fn reply(
    effect: &Effect,
    origin: Option<&Origin>,
    attempt: &Attempt,
    (state, what): (EffectState, &str),
    now_ms: u64,
) -> Option<Upcoming> {
    let (tag, origin) = (effect.request().reply_tag()?, origin?);
    if matches!(state, EffectState::Waiting { .. }) {
        return None;
    }
    let (cause, plugin, position) = effect.key().parts();
    let mut attributes = vec![("tag", tag.to_owned()), ("effect", effect.key().to_string())];
    let answer = attempt.answer.as_ref();
    attributes.extend(answer.map(|answer| ("status", answer.status.to_string())));
    if matches!(attempt.outcome, Outcome::Failed { .. }) {
        attributes.push(("error", what.to_owned()));
    }
    if answer.is_some_and(|answer| answer.is_cut) {
        attributes.push(("truncated", "true".to_owned()));
    }
    Some(Upcoming {
        receipt: Upcoming::receipt(now_ms, cause, &plugin, position, "reply"),
        due_at_ms: now_ms,
        source: origin.source.clone(),
        kind: upcoming::REPLY.to_owned(),
        subject: origin.subject.clone(),
        content_type: answer.and_then(|answer| answer.content_type.clone()),
        body: answer.map_or_else(Vec::new, |answer| answer.body.clone()),
        attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        cause: Cause { receipt: cause, depth: origin.depth.saturating_add(1), audience: Some(plugin) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::HttpRequest;
    use crate::effect::{EffectLimits, Grants};
    use crate::executor::{Again, TargetAnswer};
    use crate::target::Health;
    use tidegate_envelope::SourceName;

    const KEY: &str = "01JD9Z7C5V0000000000000000/notify/3";

    fn effect(reply_tag: Option<&str>) -> Effect {
        let request = HttpRequest {
            method: "POST".to_owned(),
            url: "https://a.example/".to_owned(),
            headers: vec![],
            body: None,
            timeout_ms: None,
            reply_tag: reply_tag.map(str::to_owned),
        };
        let grants = Grants { hosts: vec!["a.example".parse().expect("a host")], ..Grants::default() };
        let key = KEY.parse().expect("a key");
        Effect::grant(&request, &grants, key, &EffectLimits::default()).expect("granted")
    }

    fn origin() -> Origin {
        Origin { source: SourceName::new("amj").expect("a name"), subject: "675".to_owned(), depth: 2 }
    }

    fn answer(status: u16, is_cut: bool) -> TargetAnswer {
        TargetAnswer { status, content_type: Some("text/plain".to_owned()), body: b"hi".to_vec(), is_cut }
    }

    fn done(is_cut: bool) -> Attempt {
        let outcome = Outcome::Done { status: 200, response_bytes: 2, elapsed_ms: 1 };
        Attempt { outcome, health: Health::Answers, answer: Some(answer(200, is_cut)) }
    }

    fn failed(answer: Option<TargetAnswer>) -> Attempt {
        let outcome = Outcome::Failed { what: "unused".to_owned(), again: Again::Never };
        Attempt { outcome, health: Health::Answers, answer }
    }

    #[test]
    fn the_plugin_that_asked_is_told_how_it_ended() {
        for (attempt, state, body, attributes) in [
            (done(false), EffectState::Done, "hi", &[("status", "200")][..]),
            (done(true), EffectState::Done, "hi", &[("status", "200"), ("truncated", "true")]),
            (
                failed(Some(answer(404, false))),
                EffectState::Parked,
                "hi",
                &[("status", "404"), ("error", "why")],
            ),
            (failed(None), EffectState::Parked, "", &[("error", "why")]),
        ] {
            let origin = origin();
            let reply =
                reply(&effect(Some("t")), Some(&origin), &attempt, (state, "why"), 7).expect("it ended");
            assert_eq!(
                (reply.kind.as_str(), reply.subject.as_str(), reply.due_at_ms),
                ("tidegate.reply", "675", 7)
            );
            assert_eq!(String::from_utf8_lossy(&reply.body), body);
            let expected: Vec<_> = [("tag", "t"), ("effect", KEY)].iter().chain(attributes).collect();
            let found: Vec<_> =
                reply.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
            assert_eq!((reply.cause.receipt.to_string(), reply.cause.depth), (KEY[..26].to_owned(), 3));
            assert_eq!(reply.cause.audience.expect("one plugin").as_str(), "notify");
        }
    }

    #[test]
    fn nobody_is_told_who_did_not_ask_or_before_it_has_ended() {
        let waiting = EffectState::Waiting { due_at_ms: 9 };
        let origin = origin();
        assert_eq!(reply(&effect(Some("t")), Some(&origin), &failed(None), (waiting, ""), 7), None);
        assert_eq!(reply(&effect(None), Some(&origin), &done(false), (EffectState::Done, ""), 7), None);
        assert_eq!(reply(&effect(Some("t")), None, &done(false), (EffectState::Done, ""), 7), None);
    }
}
