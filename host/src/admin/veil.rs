//! What a role may not see is taken out of an answer: whatever people wrote, or plugins wrote about people. Pure; knows
//! nothing of how an answer came about.

use super::plugins::PluginDetail;
use crate::access::Role;
use crate::fault;
use crate::log::Log;
use crate::store::listing::EventRow;
use crate::store::parked::ParkedDetail;

/// What stands where something is not shown.
const HIDDEN: &str = "(only shown to the role `operate`)";

/// Takes out of an event what a plugin wrote, and what stands in its requests.
pub(super) fn event(event: &mut EventRow, role: Role) {
    if sees(role) {
        return;
    }
    for plan in &mut event.plans {
        plan.notes.clear();
        plan.log = Log::default();
        if let Some(text) = &mut plan.why {
            why(text, role);
        }
    }
    event.effects.iter_mut().for_each(|effect| request(&mut effect.request, role));
    let interventions = event.story.iter_mut().flat_map(|story| &mut story.interventions);
    interventions.for_each(|it| it.reason = None);
}

/// Leaves of a reason the fault that it is; what else it says may be the plugin's own words.
pub(super) fn why(why: &mut String, role: Role) {
    if !sees(role) {
        *why = fault::in_a_line(why).unwrap_or_else(|| HIDDEN.to_owned());
    }
}

/// Takes the query out of `METHOD URL`.
pub(super) fn request(request: &mut String, role: Role) {
    if !sees(role)
        && let Some(at) = request.find(['?', '#'])
    {
        request.truncate(at);
    }
}

/// Takes out of something parked what is in it.
pub(super) fn parked(detail: &mut ParkedDetail, role: Role) {
    if sees(role) {
        return;
    }
    detail.why.iter_mut().for_each(|text| why(text, role));
    detail.event.iter_mut().for_each(|it| event(it, role));
    detail.body = detail.body.take().map(|_| HIDDEN.to_owned());
    detail.interventions.iter_mut().for_each(|it| it.reason = None);
    if let Some(shown) = &mut detail.request {
        request(&mut shown.url, role);
        shown.headers.iter_mut().for_each(|(_, value)| HIDDEN.clone_into(value));
    }
}

/// Takes out of a plugin what is in its settings, and what its versions said about events.
pub(super) fn plugin(detail: &mut PluginDetail, role: Role) {
    if sees(role) {
        return;
    }
    for version in &mut detail.versions {
        version.manifest.settings.values_mut().for_each(|value| HIDDEN.clone_into(value));
    }
    detail.drifts.iter_mut().for_each(|row| {
        row.drift.fields.clear();
        row.drift.fault = None;
    });
}

fn sees(role: Role) -> bool {
    role >= Role::Operate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_where_it_goes() {
        for (given, shown) in [
            ("POST https://a.example/x?key=1", "POST https://a.example/x"),
            ("GET https://a.example/#John", "GET https://a.example/"),
            ("GET https://a.example/x", "GET https://a.example/x"),
        ] {
            let mut text = given.to_owned();
            request(&mut text, Role::Read);
            assert_eq!(text, shown);
            let mut whole = given.to_owned();
            request(&mut whole, Role::Operate);
            assert_eq!(whole, given);
        }
    }

    #[test]
    fn a_reason_keeps_its_fault_and_nothing_that_a_plugin_said() {
        for (given, shown) in [
            ("trap: unreachable\nnotice::decide", "trap: unreachable in notice::decide"),
            ("no mail address for John Doe", HIDDEN),
        ] {
            let mut text = given.to_owned();
            why(&mut text, Role::Operate);
            assert_eq!(text, given);
            why(&mut text, Role::Read);
            assert_eq!(text, shown);
        }
    }
}
