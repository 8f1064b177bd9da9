//! What it says, for people. Knows nothing of how it is worked out.

use crate::command::table;
use tidegate::capacity::{Case, Kept, Plan, Resource, Setting};

/// A line for each.
pub(super) fn steps(plans: &[Plan]) -> String {
    let row = |plan: &Plan| {
        let first = &plan.resources[0];
        let counts =
            [plan.peak_per_second, plan.groups, plan.queues, plan.hosts, plan.groups, plan.money.month];
        let breaks = format!("{} at {}", first.name, number(first.gives_out_at));
        let untouched = plan.untouched().map(|it| format!("{} at {}", it.key, number(it.enough_up_to)));
        counts.map(number).into_iter().chain([breaks, untouched.unwrap_or_default()]).collect()
    };
    let headings = [
        "events/s",
        "groups",
        "queues",
        "hosts",
        "databases",
        "$ a month",
        "breaks first",
        "and before, if not set higher",
    ];
    table::render(&headings, &plans.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn text(case: &Case, plan: &Plan) -> String {
    let mut text = format!(
        "{} events/s at the worst of times, each of {} bytes with {} effects and {} us of plugins, kept in {}\n\n",
        number(plan.peak_per_second),
        number(case.event_bytes),
        number(case.effects),
        number(case.plugin_us),
        match case.store {
            Kept::Sqlite => "SQLite",
            Kept::Postgres => "PostgreSQL",
        }
    );
    text += &counts(plan);
    let rows: Vec<_> = plan.resources.iter().map(row).collect();
    text += &table::render(&["what", "needs", "of", "used", "gives out at", "limit is"], &rows);
    text += &verdict(plan);
    let settings: Vec<_> = plan.settings.iter().map(setting).collect();
    text.push('\n');
    text +=
        &table::render(&["in each host's tidegate.toml", "needs", "as it comes", "enough up to"], &settings);
    text.push('\n');
    text += &table::render(&["also", "needs"], &also(case, plan));
    text + &notes(case, plan)
}

fn verdict(plan: &Plan) -> String {
    let (first, ends) = (&plan.resources[0], &plan.group_ends);
    let untouched = plan.untouched().map(|setting| {
        format!(
            "before that, with tidegate.toml as it comes: {}, at {} events/s; then: set it as below\n",
            setting.key,
            number(setting.enough_up_to)
        )
    });
    format!(
        "\nbreaks first: {}, at {} events/s ({}); then: {}\n{}one group ends: {}, at {} events/s; then: {}\n",
        first.name,
        number(first.gives_out_at),
        first.rests_on,
        first.then,
        untouched.unwrap_or_default(),
        ends.name,
        number(ends.gives_out_at),
        ends.then
    )
}

fn counts(plan: &Plan) -> String {
    let of = |count: f64, one: &str, many: &str| {
        format!("{} {}", number(count), if count > 1.0 { many } else { one })
    };
    let groups = match plan.groups > 1.0 {
        true => format!(
            ", in {} groups: each a Worker with sources of its own, its queues, hosts and database",
            number(plan.groups)
        ),
        false => String::new(),
    };
    format!(
        "{}, {}, {}{groups}\n\n",
        of(plan.queues, "queue", "queues"),
        of(plan.hosts, "host", "hosts"),
        of(plan.groups, "database", "databases")
    )
}

fn row(resource: &Resource) -> Vec<String> {
    vec![
        resource.name.to_owned(),
        number(resource.needs),
        format!("{} {}", number(resource.has), resource.unit),
        format!("{:.0} %", resource.used_percent()),
        format!("{} events/s", number(resource.gives_out_at)),
        resource.rests_on.to_owned(),
    ]
}

fn setting(setting: &Setting) -> Vec<String> {
    let as_it_comes = number(setting.as_it_comes);
    let needs = if setting.needs > setting.as_it_comes {
        format!("set it to {}", number(setting.needs))
    } else {
        number(setting.needs)
    };
    let enough = if setting.enough_up_to.is_finite() {
        format!("{} events/s", number(setting.enough_up_to))
    } else {
        "any rate".to_owned()
    };
    vec![setting.key.to_owned(), needs, as_it_comes, enough]
}

fn also(case: &Case, plan: &Plan) -> Vec<Vec<String>> {
    let money = &plan.money;
    let mut rows = vec![
        (
            "money a month",
            format!(
                "${} at Cloudflare's prices: plan {}, requests {}, Worker's time {}, queue operations {}",
                number(money.month - money.machines),
                number(money.plan),
                number(money.requests),
                number(money.cpu),
                number(money.operations)
            ),
        ),
        (
            "",
            format!(
                "${:.2} for each million events beyond what the plan has in it; empty pulls ${:.2}",
                money.per_million, money.empty_pulls
            ),
        ),
        ("", machines(plan)),
        (
            "account",
            format!(
                "{} of the {} queues that one may have",
                number(plan.queues),
                number(case.account_queues)
            ),
        ),
        ("network", format!("{} pulled by hosts", bytes(plan.pulled_bytes) + "/s")),
        (
            "disk",
            format!(
                "{} written, {} kept after {} days",
                bytes(plan.written_bytes) + "/s",
                bytes(plan.kept_bytes),
                number(case.days)
            ),
        ),
        (
            "hosts away",
            format!("for {} hours at most, until a queue is full or forgets", number(plan.hours_away)),
        ),
    ];
    if case.store == Kept::Postgres {
        rows.push((
            "server",
            format!(
                "{} cores busy in all databases, outcomes of effects not included",
                number(plan.server_cores)
            ),
        ));
    }
    rows.into_iter().map(|(name, what)| vec![name.to_owned(), what]).collect()
}

fn machines(plan: &Plan) -> String {
    match plan.money.machines > 0.0 {
        true => format!("${} for hosts and databases", number(plan.money.machines)),
        false => {
            "hosts and databases not counted: --set host-dollars=... --set database-dollars=...".to_owned()
        }
    }
}

/// What is to be doubted.
fn notes(case: &Case, plan: &Plan) -> String {
    let mut notes = vec![
        "Measured on two cores that all parts shared, published by Cloudflare, or assumed: tidegate capacity --figures says which.".to_owned(),
    ];
    if case.cores > 2.0 {
        notes.push(format!(
            "How a host fares on {} cores was not measured: taken is that each does what one of two did.",
            number(case.cores)
        ));
    }
    if plan.hosts > plan.groups {
        notes.push("How hosts that share a database fare was not measured: taken is that together they write as much as one does.".to_owned());
    }
    if plan.hosts > plan.queues {
        notes.push("Hosts that have no queue to themselves bring each other what they pull: what that takes is not counted.".to_owned());
    }
    if plan.requests_per_host > case.address_requests {
        notes.push(format!(
            "Each host makes {} requests/s to Cloudflare's API. Pulls are free of its limit per account; whether they are of its {} a second per \
             address is not said: ask before you rely on it.",
            number(plan.requests_per_host),
            number(case.address_requests)
        ));
    }
    notes.iter().fold(String::from("\n"), |text, note| text + note + "\n")
}

pub(super) fn figures_text(case: &Case) -> String {
    let rows = case.figures().map(|(figure, value, rests_on)| {
        let (kind, from) = figure.origin.words();
        let from = if rests_on == kind { from.to_owned() } else { format!("else {kind}: {from}") };
        vec![figure.name.to_owned(), number(value), rests_on.to_owned(), format!("{}; {from}", figure.means)]
    });
    let headings = ["figure", "value", "rests on", "what it is, and where from"];
    table::render(&headings, &rows.collect::<Vec<_>>())
}

/// With thousands apart, and decimals where the number is small.
fn number(value: f64) -> String {
    let decimals = if value < 10.0 && value.fract() != 0.0 { 2 } else { 0 };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits: Vec<char> = whole.chars().collect();
    let groups: Vec<String> = digits.rchunks(3).rev().map(|chunk| chunk.iter().collect()).collect();
    groups.join(",") + rest
}

fn bytes(count: f64) -> String {
    let steps = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let (each, unit) = steps.into_iter().find(|(each, _)| count >= *each).unwrap_or((1.0, "bytes"));
    format!("{:.1} {unit}", count / each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        for (value, text) in
            [(0.0, "0"), (0.25, "0.25"), (9.5, "9.50"), (999.6, "1,000"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!([bytes(512.0), bytes(1_500.0), bytes(2.5e12)], ["512.0 bytes", "1.5 kB", "2.5 TB"]);
    }
}
