use super::*;
use clap::Parser as _;
use tidegate::capacity::FIGURES;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn asked(line: &str) -> anyhow::Result<Case> {
    let words = std::iter::once("capacity").chain(line.split_whitespace());
    let args = Cli::try_parse_from(words)?.args;
    case(&args, args.events_per_second[0])
}

#[test]
fn every_figure_can_be_another() {
    let set: Vec<_> = FIGURES.iter().map(|figure| format!("--set {}=7", figure.name)).collect();
    let found = asked(&format!("--events-per-second 1 {}", set.join(" "))).unwrap();
    assert!(found.figures().all(|(_, value, _)| value == 7.0));
    let named = "--peak 2 --event-bytes 3 --effects 4 --plugin-us 5 --cores 6 --days 8";
    let found = asked(&format!("--events-per-second 1 {named}")).unwrap();
    let Case { peak, event_bytes, effects, plugin_us, cores, days, .. } = found;
    assert_eq!([peak, event_bytes, effects, plugin_us, cores, days], [2.0, 3.0, 4.0, 5.0, 6.0, 8.0]);
    for (language, us) in LANGUAGES {
        assert_eq!(asked(&format!("--events-per-second 1 --language {language}")).unwrap().plugin_us, us);
    }
    for wrong in
        ["--set pull=1", "--set pull-ms", "--set pull-ms=x", "--language cobol", "--plugin-us 1 --language c"]
    {
        assert!(asked(&format!("--events-per-second 1 {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn an_answer_names_what_breaks_first_and_what_to_set() {
    let case = asked("--events-per-second 1000").unwrap();
    let said = text(&case, &case.plan().unwrap());
    for line in [
        "breaks first: pulls, at 1,667 events/s (assumed); then: one more queue",
        "before that, with tidegate.toml as it comes: executor.target_in_flight_max, at 160 events/s",
        "executor.target_in_flight_max  set it to 100",
        "money a month  $4,045",
    ] {
        assert!(said.contains(line), "{line}:\n{said}");
    }
}
