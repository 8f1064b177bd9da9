use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn row(cells: &[&str], mood: Mood) -> Row {
    Row { cells: cells.iter().map(|cell| (*cell).to_owned()).collect(), mood }
}

fn view() -> View {
    View {
        at: "2022-11-11 05:05:07.302Z".into(),
        trouble: None,
        counts: vec![row(&["events in", "1203", "12.5"], Mood::Well), row(&["parked", "1", ""], Mood::Bad)],
        hosts: Vec::new(),
        sources: vec![row(&["amj", "amj", "ok", "3 of 3", "2 s ago", "0"], Mood::Well)],
        plugins: vec![row(&["notice", "0123456789ab", "1200", "12.0", "0", "1", "0.210 ms"], Mood::Bad)],
        events: vec![
            row(
                &["2022-11-11 05:05:05.001Z", "amj", "loan.updated", "loan-1", "first", "decided"],
                Mood::Well,
            ),
            row(&["2022-11-11 05:05:04.900Z", "amj", "loan.created", "loan-2", "first", "parked"], Mood::Bad),
        ],
    }
}

/// The screen of this size as lines of text.
fn screen(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
    terminal.draw(|frame| draw(frame, view)).expect("is drawn");
    let buffer = terminal.backend().buffer();
    let lines = (0..height).map(|y| {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[test]
fn a_screen_has_all_of_it() {
    let expected = "\
tidegate  2022-11-11 05:05:07.302Z  q ends it
┌ host ──────────────────────────────────┐┌ sources ─────────────────────────────────────────────┐
│what       now   per second             ││source  profile  state  left    last event  in vault  │
│events in  1203  12.5                   ││amj     amj      ok     3 of 3  2 s ago     0         │
│parked     1                            ││                                                      │
└────────────────────────────────────────┘└──────────────────────────────────────────────────────┘
┌ plugins ───────────────────────────────────────────────────────────────────────────────────────┐
│plugin  version       calls  per second  refused  faults  mean                                  │
│notice  0123456789ab  1200   12.0        0        1       0.210 ms                              │
└────────────────────────────────────────────────────────────────────────────────────────────────┘
┌ last events ───────────────────────────────────────────────────────────────────────────────────┐
│accepted                  source  kind          subject  class  state                           │
│2022-11-11 05:05:05.001Z  amj     loan.updated  loan-1   first  decided                         │
│2022-11-11 05:05:04.900Z  amj     loan.created  loan-2   first  parked                          │
└────────────────────────────────────────────────────────────────────────────────────────────────┘
";
    assert_eq!(screen(&view(), 98, 15), expected, "{}", screen(&view(), 98, 15));
}

#[test]
fn a_screen_of_any_size_is_drawn_and_trouble_is_on_top() {
    let troubled = View { trouble: Some("no host answers".into()), ..view() };
    for (width, height) in [(1, 1), (20, 5), (80, 24), (300, 100)] {
        screen(&troubled, width, height);
    }
    let first = screen(&troubled, 80, 24);
    let first = first.lines().next().unwrap_or_default();
    assert_eq!(first, "as of 2022-11-11 05:05:07.302Z: no host answers");
}
