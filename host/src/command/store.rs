//! `tidegate store`: what concerns the host's own file.

use tidegate::store::seal::StoreKeys;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print a fresh key, for TIDEGATE_STORE_KEY: with it in its environment the host encrypts payloads in its store.
    #[command(after_help = "\
Encrypted are: events' bodies, what plugins said and remember, effects, what is to come, and strays. Not encrypted are: \
receipts, sources, kinds, assets' ids, times, hashes and states, by which the store is searched. What was recorded before is \
read as it is and stays so. Keep the key elsewhere than the store: without it nothing can be read.\n\n\
To change it, set the new one as TIDEGATE_STORE_KEY and the old one as TIDEGATE_STORE_KEY_OLD; several are separated by commas.")]
    Key,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Key => super::print(&(StoreKeys::fresh()? + "\n")),
    }
}
