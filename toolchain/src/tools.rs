//! Installs what `tools.toml` pins, and says what this machine has of what is needed. Knows nothing of what
//! the tools are used for.

use crate::language;
use crate::progress::Progress;
use crate::shell;
use crate::tool::{self, Origin, Tool};
use anyhow::{Context as _, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The compiler's targets that are not the machine's own: the Worker's and the plugins', and that of a guest
/// of the tests that asks WASI.
const TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip2"];

/// Lines of what a program said that are repeated when it failed.
const REASON_LINES: usize = 4;

/// Unpacks a Debian package without installing it.
const UNPACK: &str = include_str!("debian.sh");

/// The pinned tools.
pub struct Tools(Vec<Tool>);

/// One line of the list: what is needed, and whether it is there.
pub struct Need {
    /// Its name, with the version that is pinned.
    pub name: String,
    /// Where it is, or which version it says it has; `None` when it is missing.
    pub found: Option<String>,
    /// The line to type when it is missing.
    pub remedy: String,
}

impl Tools {
    /// The tools that this program was built with: those of `tools.toml`.
    ///
    /// # Errors
    /// When the list is not well-formed.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(tool::parse(tool::PINNED)?))
    }

    /// The file of a tool, which is fetched first when it is missing; then standard error says so.
    ///
    /// # Errors
    /// As [`Tools::fetch`].
    pub fn ensure(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.fetch(name, &mut |progress| eprintln!("+ {progress}"))
    }

    /// The file of a tool, which is fetched first when it is missing. What is done is said before.
    ///
    /// # Errors
    /// When npm, pip or apt is missing or fails; the error has the line to type.
    pub fn fetch(&self, name: &str, say: &mut dyn FnMut(Progress)) -> anyhow::Result<PathBuf> {
        let tool = tool::of(&self.0, name)?;
        let path = tool.path()?;
        if path.exists() {
            return Ok(path);
        }
        if std::env::var_os(tool.variable()).is_some() {
            bail!("{} names {}, which is not there", tool.variable(), path.display());
        }
        install(tool, say)?;
        Ok(path)
    }

    /// Whether all of these are on this machine now; `what` is made with them. False where one cannot be had and may be
    /// missing: standard error says so.
    ///
    /// # Errors
    /// When one cannot be had, and may not be missing.
    pub fn has(&self, names: &[&str], what: &str) -> anyhow::Result<bool> {
        match names.iter().find_map(|name| self.ensure(name).err()) {
            None => Ok(true),
            Some(why) if language::may_be_missing() => {
                eprintln!("passed over: {what}: {why:#}");
                Ok(false)
            }
            Some(why) => {
                Err(why.context(format!("build {what} (or set {}=1 to do without)", language::OPTIONAL)))
            }
        }
    }

    /// A folder for what a tool keeps between its runs, such as a library it has compiled: beside the tool, so that
    /// it goes where the tool goes.
    ///
    /// # Errors
    /// When `tools.toml` does not name the tool, or the environment no home for it.
    pub fn cache(&self, name: &str) -> anyhow::Result<PathBuf> {
        let tool = tool::of(&self.0, name)?;
        Ok(tool.dir()?.with_file_name(format!("{}-{}-cache", tool.name, tool.version)))
    }

    /// Installs whatever is missing: tools by npm, pip and apt, targets by rustup.
    ///
    /// # Errors
    /// The first that cannot be installed.
    pub fn install(&self) -> anyhow::Result<()> {
        for target in TARGETS {
            ensure_target(target)?;
        }
        for tool in &self.0 {
            self.ensure(&tool.name)?;
        }
        self.print()
    }

    /// Prints the list.
    ///
    /// # Errors
    /// When the environment names no home for the tools.
    pub fn print(&self) -> anyhow::Result<()> {
        let needs = self.list()?;
        for need in &needs {
            match &need.found {
                Some(found) => println!("ok       {:<26} {found}", need.name),
                None => println!("missing  {:<26} type: {}", need.name, need.remedy),
            }
        }
        let missing = needs.iter().filter(|need| need.found.is_none()).count();
        println!("{} needed, {missing} missing", needs.len());
        Ok(())
    }

    /// Everything that is needed, in the order it is needed in.
    ///
    /// # Errors
    /// When the environment names no home for the tools.
    pub fn list(&self) -> anyhow::Result<Vec<Need>> {
        let programs = [
            (
                "rustc",
                "--version",
                "install rustup, Rust's own installer, then: rustup toolchain install stable",
            ),
            ("cc", "--version", "apt-get install gcc"),
            ("make", "--version", "apt-get install make"),
            ("node", "--version", "apt-get install nodejs npm"),
            ("npm", "--version", "apt-get install npm"),
            ("python3", "--version", "apt-get install python3 python3-pip"),
        ];
        let mut needs: Vec<Need> = programs
            .map(|(name, flag, remedy)| Need {
                name: name.to_owned(),
                found: first_line(Command::new(name).arg(flag)),
                remedy: remedy.to_owned(),
            })
            .into();
        needs.push(Need {
            name: "pip".to_owned(),
            found: first_line(Command::new("python3").args(["-m", "pip", "--version"])),
            remedy: "apt-get install python3-pip".to_owned(),
        });
        needs.extend(TARGETS.map(|target| Need {
            name: target.to_owned(),
            found: target_libdir(target).map(|dir| dir.display().to_string()),
            remedy: format!("rustup target add {target}"),
        }));
        for tool in &self.0 {
            let path = tool.path()?;
            needs.push(Need {
                name: format!("{} {}", tool.name, tool.version),
                found: path.exists().then(|| path.display().to_string()),
                remedy: "cargo xtask tools --install".to_owned(),
            });
        }
        Ok(needs)
    }
}

/// Adds one of the compiler's targets when it is not there; then standard error says so.
///
/// # Errors
/// As [`fetch_target`].
pub fn ensure_target(target: &str) -> anyhow::Result<()> {
    fetch_target(target, &mut |progress| eprintln!("+ {progress}"))
}

/// Adds one of the compiler's targets when it is not there. What is done is said before.
///
/// # Errors
/// When the compiler or rustup is missing, or fails; the error has the line to type.
pub fn fetch_target(target: &str, say: &mut dyn FnMut(Progress)) -> anyhow::Result<()> {
    if target_libdir(target).is_some() {
        return Ok(());
    }
    ensure!(
        first_line(Command::new("rustc").arg("--version")).is_some(),
        "there is no Rust on this machine; install rustup (https://rustup.rs), then type: rustup target add {target}"
    );
    let what = format!("Rust's {target}");
    say(Progress::Fetching { what: what.clone(), from: "rustup", into: None, megabytes: None });
    let output = Command::new("rustup").args(["target", "add", target]).output();
    let why = match output {
        Err(error) => format!("rustup does not start ({error})"),
        Ok(output) if !output.status.success() => {
            format!("rustup failed ({}): {}", output.status, last_lines(&output.stderr))
        }
        Ok(_) if target_libdir(target).is_none() => "the compiler is not rustup's".to_owned(),
        Ok(_) => {
            say(Progress::Fetched { what });
            return Ok(());
        }
    };
    bail!("the compiler has no {target}: {why}; type: rustup target add {target}")
}

/// Where the compiler has this target's standard library; `None` when it has not.
fn target_libdir(target: &str) -> Option<PathBuf> {
    let line = first_line(Command::new("rustc").args(["--target", target, "--print", "target-libdir"]))?;
    Some(PathBuf::from(line)).filter(|dir| dir.is_dir())
}

/// Installs a tool beside its place, then moves it there: another process sees all of it or nothing.
fn install(tool: &Tool, say: &mut dyn FnMut(Progress)) -> anyhow::Result<()> {
    let dir = tool.dir()?;
    let what = format!("{} {}", tool.name, tool.version);
    let fresh = dir.with_file_name(format!(".{}-{}-{}", tool.name, tool.version, std::process::id()));
    fs::create_dir_all(&fresh).with_context(|| format!("make {}", fresh.display()))?;
    let (registry, package, mut command) = installer(tool, &fresh)?;
    let by_hand = by_hand(tool, &dir)?;
    say(Progress::Fetching {
        what: what.clone(),
        from: registry,
        into: Some(dir.clone()),
        megabytes: tool.megabytes,
    });
    let outcome = match command.stdin(Stdio::null()).output() {
        Err(error) => Err(format!("{registry} does not start ({error}): {}", remedy(registry))),
        Ok(output) if !output.status.success() => {
            Err(format!("{registry} failed ({}): {}", output.status, last_lines(&output.stderr)))
        }
        Ok(_) if !fresh.join(&tool.file).exists() => {
            Err(format!("{package} has no {}; correct tools.toml", tool.file.display()))
        }
        Ok(_) => Ok(()),
    };
    // Another process may have put the same version there meanwhile: then that one is as good.
    let moved = outcome.is_ok() && (fs::rename(&fresh, &dir).is_ok() || dir.join(&tool.file).exists());
    if fresh.exists() {
        fs::remove_dir_all(&fresh).with_context(|| format!("remove {}", fresh.display()))?;
    }
    if let Err(why) = outcome {
        bail!(
            "{what} is not on this machine and could not be fetched: {why}\nto fetch it by hand, type: {by_hand}"
        );
    }
    ensure!(moved, "{} cannot be made; remove what is there and try again", dir.display());
    say(Progress::Fetched { what });
    Ok(())
}

/// The end of what a program said: where its reason stands.
fn last_lines(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(REASON_LINES)..].join("\n")
}

/// What to do where the program that brings a tool is missing.
fn remedy(registry: &str) -> &'static str {
    match registry {
        "npm" => "install Node with npm (apt-get install npm) and try again",
        "apt-get" => "it is a package of Debian's; elsewhere, bring the program and name it in its variable",
        _ => "install Python 3 with pip (apt-get install python3 python3-pip) and try again",
    }
}

/// The program that brings a tool, the package it brings, and the command that puts it into `dir`.
fn installer(tool: &Tool, dir: &Path) -> anyhow::Result<(&'static str, String, Command)> {
    match tool.origin()? {
        Origin::Npm(name) => {
            let package = format!("{name}@{}", tool.version);
            let mut command = Command::new("npm");
            command.args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"]);
            command.arg(dir).arg(&package);
            Ok(("npm", package, command))
        }
        Origin::PyPi(name) => {
            let package = format!("{name}=={}", tool.version);
            let mut command = Command::new("python3");
            command.args(["-m", "pip", "install", "--quiet", "--target"]);
            command.arg(dir).arg(&package);
            // pip warns of what does not matter for a folder that nothing else uses.
            command.envs([("PIP_ROOT_USER_ACTION", "ignore"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1")]);
            Ok(("pip", package, command))
        }
        Origin::Debian(name) => {
            let package = debian_package(tool, name);
            let mut command = Command::new("sh");
            command.args(["-c", UNPACK, "unpack"]).arg(dir).arg(&package);
            if let Some(program) = &tool.with_libraries {
                command.args(["libraries", program]);
            }
            Ok(("apt-get", package, command))
        }
    }
}

/// The package as apt is asked for it.
fn debian_package(tool: &Tool, name: &str) -> String {
    if tool.version == "newest" { name.to_owned() } else { format!("{name}={}", tool.version) }
}

/// What a person types to the same end.
fn by_hand(tool: &Tool, dir: &Path) -> anyhow::Result<String> {
    if let Origin::Debian(name) = tool.origin()? {
        let (package, dir) = (debian_package(tool, name), dir.display());
        return Ok(match tool.programs.first() {
            Some(_) => format!("sudo apt-get install {name}"),
            None => format!("apt-get download {package} && dpkg -x {name}_*.deb {dir}"),
        });
    }
    let (_, _, command) = installer(tool, dir)?;
    Ok(shell::line(&command))
}

/// The first line a program prints; `None` when it does not run or fails.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().filter(|_| output.status.success()).map(str::to_owned)
}
