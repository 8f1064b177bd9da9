//! The sender, played at the built system by a run that prints its verdict. Knows nothing of what is done to the system
//! meanwhile.

use anyhow::Context as _;
use std::fs::File;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Mutex;
use tidegate_sender::event::Event;
use tidegate_sender::player::{Pace, Player, Told};
use tidegate_sender::policy::Rules;
use tidegate_sender::post::Poster;
use tidegate_sender::verdict::Verdict;

/// The most events on their way at the same time. More means that the edge does not answer.
const IN_FLIGHT_MAX: usize = 5_000;

/// Plays the sender, with the Events API's own rules.
///
/// # Errors
/// When nothing can be posted there.
pub async fn play(
    url: &str,
    events_per_s: f64,
    events: impl Iterator<Item = Event>,
    tell: impl FnMut(Told<'_>),
) -> anyhow::Result<Verdict> {
    let poster = Poster::new(url)?;
    let post = move |event: Event| {
        let poster = poster.clone();
        async move { poster.post(event.body.to_vec()).await }
    };
    let pace = Pace { events_per_s, in_flight_max: IN_FLIGHT_MAX };
    Ok(Player::new(Rules::EVENTS_API, pace).play(events, post, pending(), tell).await)
}

/// Writes what the parts in this process say, workerd's words among it, to a file beside this program. Gives where.
///
/// # Errors
/// When the file cannot be made.
pub fn keep_log(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe().context("find this command")?.with_file_name(name);
    let file = File::create(&path).context("make the log")?;
    tracing_subscriber::fmt().with_ansi(false).with_target(false).with_writer(Mutex::new(file)).init();
    Ok(path)
}
