//! Puts a view on a screen of any size. Knows nothing of what it means.

#[cfg(test)]
mod tests;

use super::view::{COUNTS, EVENTS, HOSTS, Mood, PLUGINS, Row, SOURCES, View};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{self, Block, Table};

pub(super) fn draw(frame: &mut Frame<'_>, view: &View) {
    let rows =
        |rows: &[Row]| Constraint::Length(u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(3));
    let hosts = if view.hosts.is_empty() { Constraint::Length(0) } else { rows(&view.hosts) };
    let [head, top, group, plugins, events] = Layout::vertical([
        Constraint::Length(1),
        rows(if view.counts.len() > view.sources.len() { &view.counts } else { &view.sources }),
        hosts,
        rows(&view.plugins),
        Constraint::Min(3),
    ])
    .areas(frame.area());
    let [counts, sources] = Layout::horizontal([Constraint::Length(42), Constraint::Min(30)]).areas(top);
    let title = match &view.trouble {
        None => Line::styled(format!("tidegate  {}  q ends it", view.at), Modifier::BOLD),
        Some(trouble) => Line::styled(format!("as of {}: {trouble}", view.at), Color::Red),
    };
    frame.render_widget(title, head);
    part(frame, counts, "host", &COUNTS, &view.counts);
    part(frame, sources, "sources", &SOURCES, &view.sources);
    if !view.hosts.is_empty() {
        part(frame, group, "hosts", &HOSTS, &view.hosts);
    }
    part(frame, plugins, "plugins", &PLUGINS, &view.plugins);
    part(frame, events, "last events", &EVENTS, &view.events);
}

fn part(frame: &mut Frame<'_>, area: Rect, title: &str, headings: &[&str], rows: &[Row]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| cell.chars().count());
        let widest = cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or(0);
        Constraint::Length(u16::try_from(widest).unwrap_or(u16::MAX))
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let bodies = rows.iter().map(|row| {
        let style = match row.mood {
            Mood::Well => Style::new(),
            Mood::Busy => Style::new().fg(Color::Yellow),
            Mood::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        };
        widgets::Row::new(row.cells.iter().map(String::as_str)).style(style)
    });
    let head = widgets::Row::new(headings.iter().copied()).style(Modifier::DIM);
    let block = Block::bordered().title(format!(" {title} "));
    frame.render_widget(Table::new(bodies, widths).header(head).column_spacing(2).block(block), area);
}
