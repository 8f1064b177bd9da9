//! `tidegate completions` and `tidegate man`: the command line, described for shells and for `man`.

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
bash:  tidegate completions bash > /etc/bash_completion.d/tidegate\n\
zsh:   tidegate completions zsh > ~/.zfunc/_tidegate   # with fpath+=~/.zfunc before compinit\n\
fish:  tidegate completions fish > ~/.config/fish/completions/tidegate.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// The directory to write tidegate.1 and a page for each command to; for example /usr/local/share/man/man1.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs, mut cli: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli, "tidegate", &mut script);
    super::print(&String::from_utf8(script).context("read the script")?)
}

pub(crate) fn man(args: &ManArgs, cli: Command) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.dir).with_context(|| format!("make {}", args.dir.display()))?;
    clap_mangen::generate_to(cli, &args.dir).with_context(|| format!("write to {}", args.dir.display()))
}
