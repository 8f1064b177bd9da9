//! Reads what `tidegate events export` wrote, each event with the payload of the one that was its subject's snapshot.

use anyhow::Context as _;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use tidegate::admin::dryrun::GivenEvent;
use tidegate::store::listing::{EventRow, Payload};
use tidegate_envelope::Receipt;

/// Bytes of payloads after which a page ends.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The events of a file, page by page.
pub(super) struct Events {
    path: PathBuf,
    file: BufReader<File>,
    /// The same once more, for what was read before.
    earlier: BufReader<File>,
    /// Where the line of each event begins.
    places: HashMap<Receipt, u64>,
    place: u64,
    number: u64,
    /// Lines that are left out: repeats, and events that plugins caused.
    pub(super) left_out: u64,
}

impl Events {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let open =
            || File::open(path).map(BufReader::new).with_context(|| format!("read {}", path.display()));
        let (file, earlier, path) = (open()?, open()?, path.to_owned());
        Ok(Self { path, file, earlier, places: HashMap::new(), place: 0, number: 0, left_out: 0 })
    }

    /// The next events, at most so many; none at the file's end.
    pub(super) fn next(&mut self, events_max: usize) -> anyhow::Result<Vec<GivenEvent>> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut line = String::new();
        while events.len() < events_max && bytes < PAGE_BYTES_MAX {
            line.clear();
            let read = self.file.read_line(&mut line).with_context(|| self.at())?;
            if read == 0 {
                break;
            }
            self.number += 1;
            let began = self.place;
            self.place += u64::try_from(read)?;
            let event: EventRow = serde_json::from_str(&line).with_context(|| self.at())?;
            self.places.insert(event.receipt, began);
            if event.duplicate_of.is_some() || event.cause.is_some() {
                self.left_out += 1;
                continue;
            }
            bytes += read;
            let place = event.previous.and_then(|previous| self.places.get(&previous)).copied();
            let previous = place.map(|place| self.payload(place)).transpose()?.flatten();
            events.push(GivenEvent { event, previous });
        }
        Ok(events)
    }

    fn payload(&mut self, place: u64) -> anyhow::Result<Option<Payload>> {
        self.earlier.seek(SeekFrom::Start(place)).with_context(|| self.at())?;
        let mut line = String::new();
        self.earlier.read_line(&mut line).with_context(|| self.at())?;
        Ok(serde_json::from_str::<EventRow>(&line).with_context(|| self.at())?.payload)
    }

    fn at(&self) -> String {
        format!("read {}, line {}, as `tidegate events export` writes it", self.path.display(), self.number)
    }
}
