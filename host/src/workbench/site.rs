//! Where a plugin is built: which contract and which SDKs, and a folder for what is made on the way. Knows nothing of
//! compilers.

use super::package::Package;
use super::template::{self, NewFile};
use anyhow::{Context as _, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_toolchain::build::Place;
use tidegate_toolchain::language;

/// What is made on the way, from a plugin's folder. Hidden: it is nobody's source.
const WORK: &str = ".tidegate/build";
/// Where contract and SDKs are that this program brings, from a plugin's folder.
const BROUGHT: &str = ".tidegate/brought";
/// The folder of the contract in a plugin's own folder, and in what this program brings.
const WIT: &str = "wit";
/// The folder of the SDKs, there and in the repository; each has a folder in it.
const SDK: &str = "sdk";
/// The contract in the repository.
const CONTRACT: &str = "wit/v1";

/// The plugin's own contract and SDK; else those of the repository that its folder is in; else this program's, which
/// are written beside what is made on the way.
///
/// # Errors
/// When the plugin's folder is not there, or nothing can be written in it.
pub fn find(package: &Package) -> anyhow::Result<Place> {
    let dir = if package.dir.as_os_str().is_empty() { Path::new(".") } else { &package.dir };
    let dir = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
    let manifest = package.manifest()?;
    let language = manifest.build.language.clone().unwrap_or_default();
    let component = Path::new(&manifest.component);
    ensure!(component.is_relative(), "plugin.toml: component: name a file in the plugin's own folder");
    let (work, brought) = (dir.join(WORK), dir.join(BROUGHT));
    let repository = dir.ancestors().find(|above| above.join(CONTRACT).join("plugin.wit").is_file());
    let chosen = |own: &str, theirs: &str| {
        let own = dir.join(own);
        own.is_dir().then_some(own).or_else(|| Some(repository?.join(theirs)))
    };
    let (contract, sdk) = (chosen(WIT, CONTRACT), chosen(SDK, SDK));
    if contract.is_none() || sdk.is_none() {
        bring(&brought, &language)?;
    }
    Ok(Place {
        contract: contract.unwrap_or_else(|| brought.join(WIT)),
        sdk: sdk.unwrap_or_else(|| brought.join(SDK)).join(&language),
        out: dir.join(component),
        work,
        dir,
    })
}

/// Writes contract and SDKs as they were when this program was built.
fn bring(to: &Path, language: &str) -> anyhow::Result<()> {
    let sdks = language::find(language).map_or(&[][..], |language| language.sdk);
    for NewFile { path, content } in template::contract_and_sdks(sdks) {
        let path: PathBuf = to.join(path);
        // What is there and the same keeps its time: compilers look at it.
        if fs::read(&path).is_ok_and(|there| there == content) {
            continue;
        }
        let parent = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
