//! What a new plugin starts from: the folders of `plugins/` and `sdk/`, as they were when this program was built. Pure;
//! knows nothing of the directory they are written to.
//!
//! A folder is a template by having a `plugin.toml`. Of its README a new plugin takes the section `## Good to know`. All
//! folders hold the same plugin, so one without `events/` gets the first folder's that has them, with what is expected
//! of them. In all texts the template's names become the new one's, `../../wit/v1` becomes `wit` and `../../sdk` becomes
//! `./sdk`: a new plugin has copies of the contract and of its language's SDK.

use super::case::{EVENTS, EXPECTED};
use crate::plugin::{Manifest, PluginName};
use tidegate_toolchain::language;

/// The contract, which each new plugin gets a copy of.
const CONTRACT: [EmbeddedFile; 2] = [
    ("plugin.wit", include_bytes!("../../../wit/v1/plugin.wit")),
    ("log.wit", include_bytes!("../../../wit/v1/log.wit")),
];
/// Where the contract is, seen from a folder of `plugins/` or `sdk/`.
const CONTRACT_THERE: &str = "../../wit/v1";
/// Where it is in a new plugin.
const CONTRACT_HERE: &str = "wit";
/// Where it is in a new plugin, seen from the folder of an SDK.
const CONTRACT_FROM_SDK: &str = "../../wit";
/// Where the SDKs are, seen from a folder of `plugins/`.
const SDK_THERE: &str = "../../sdk";
/// Where they are in a new plugin.
const SDK_HERE: &str = "sdk";
/// The same where it is written in a file: without the dot, Go's and TypeScript's tools take it for a package's name.
const SDK_WRITTEN: &str = "./sdk";
/// What is made of the sources: no file of a new plugin, and none to keep in its history.
const IGNORED: &str = "/.tidegate/\n/plugin.wasm\n/target/\nnode_modules/\n__pycache__/\n";
/// What the plugins of this repository are called, some with a suffix for the language.
const FAMILY: &str = "loan-notice";

/// Path and content.
type EmbeddedFile = (&'static str, &'static [u8]);

static TEMPLATES: &[(&str, &[EmbeddedFile])] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

static SDKS: &[(&str, &[EmbeddedFile])] = include!(concat!(env!("OUT_DIR"), "/sdks.rs"));

/// One file of a new plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where, from the plugin's directory.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// A language's template.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    language: &'static str,
    files: &'static [EmbeddedFile],
}

/// The languages that there are templates for, in the order of their names.
pub fn languages() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(language, _)| *language)
}

/// The template of this language.
#[must_use]
pub fn find(language: &str) -> Option<Template> {
    let found = TEMPLATES.iter().find(|(name, _)| *name == language)?;
    Some(Template { language: found.0, files: found.1 })
}

/// The contract and these SDKs, at their places in a plugin's own folder.
#[must_use]
pub fn contract_and_sdks(sdks: &[&str]) -> Vec<NewFile> {
    let contract = (CONTRACT_THERE.to_owned(), CONTRACT_FROM_SDK.to_owned());
    let mut files = Vec::new();
    for (name, sdk) in SDKS.iter().filter(|(name, _)| sdks.contains(name)) {
        for file in *sdk {
            let NewFile { path, content } = new_file(file, std::slice::from_ref(&contract));
            files.push(NewFile { path: format!("{SDK_HERE}/{name}/{path}"), content });
        }
    }
    files.extend(CONTRACT.map(|(name, content)| NewFile {
        path: format!("{CONTRACT_HERE}/{name}"),
        content: content.to_vec(),
    }));
    files
}

impl Template {
    /// The files of a new plugin of this name.
    #[must_use]
    pub fn files(&self, name: &PluginName) -> Vec<NewFile> {
        let names = self.names(name);
        let mut files: Vec<_> = self.files.iter().map(|file| new_file(file, &names)).collect();
        if !self.files.iter().any(is_case) {
            files.extend(shared_cases().map(|file| new_file(file, &names)));
        }
        let readme = files.iter_mut().find(|file| file.path == "README.md");
        let readme_there = readme.as_ref().map_or_else(String::new, |file| text(&file.content));
        let written = self.readme(name, &readme_there).into_bytes();
        match readme {
            Some(file) => file.content = written,
            None => files.push(NewFile { path: "README.md".to_owned(), content: written }),
        }
        files.push(NewFile { path: ".gitignore".to_owned(), content: IGNORED.as_bytes().to_vec() });
        let sdks = language::find(self.language).map_or(&[][..], |language| language.sdk);
        files.extend(contract_and_sdks(sdks));
        files
    }

    /// What is replaced by what: names in the spellings of all languages, and the places of contract and SDK.
    fn names(&self, name: &PluginName) -> Vec<(String, String)> {
        let manifest = self.files.iter().find(|(path, _)| *path == "plugin.toml");
        let manifest = manifest.and_then(|(_, content)| Manifest::parse(&text(content)).ok());
        let own = manifest.map(|manifest| manifest.name.to_string());
        let mut pairs = vec![
            (CONTRACT_THERE.to_owned(), CONTRACT_HERE.to_owned()),
            (SDK_THERE.to_owned(), SDK_WRITTEN.to_owned()),
        ];
        for old in own.iter().map(String::as_str).chain([FAMILY]) {
            pairs.push((old.to_owned(), name.to_string()));
            pairs.push((old.replace('-', "_"), name.as_str().replace('-', "_")));
            pairs.push((pascal(old), pascal(name.as_str())));
        }
        pairs
    }

    fn readme(&self, name: &PluginName, there: &str) -> String {
        let language = there.lines().next().and_then(|heading| Some(heading.rsplit_once(", in ")?.1));
        let language = language.unwrap_or(self.language);
        let more = section(there, "## Good to know");
        let more = more.map_or_else(String::new, |more| format!("\n## Good to know\n\n{}\n", more.trim()));
        format!(
            "# {name}\n\n\
             A Tidegate plugin in {language}: an event in, decisions out. `plugin.toml` says which events it is asked \
             about, which hosts it may reach,\nits settings, and how it is built; `wit/plugin.wit` is the contract.\n\n\
             ```sh\n\
             tidegate plugin build                         # makes plugin.wasm; --watch: again on each change\n\
             tidegate plugin test                          # events/ against expected/; --update, --watch\n\
             tidegate plugin test --generate 200           # events nobody wrote: no fault, the same answer twice\n\
             tidegate plugin run events/on-loan.json       # what it decides, and what a host would do about it\n\
             tidegate plugin check                         # what it is, and whether a host would take it\n\
             tidegate plugin bench                         # time and memory per event, against its limits\n\
             tidegate plugin deploy                        # the next event is decided by it\n\
             ```\n{more}"
        )
    }
}

/// Whether the file is an event, or what is expected of one.
fn is_case((path, _): &EmbeddedFile) -> bool {
    [EVENTS, EXPECTED].iter().any(|dir| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/')))
}

fn shared_cases() -> impl Iterator<Item = &'static EmbeddedFile> {
    let folder = TEMPLATES.iter().find(|(_, files)| files.iter().any(is_case));
    folder.into_iter().flat_map(|(_, files)| files.iter().filter(|file| is_case(file)))
}

/// A file with the names replaced; one that is no text is taken as it is.
fn new_file((path, content): &EmbeddedFile, names: &[(String, String)]) -> NewFile {
    let content = match std::str::from_utf8(content) {
        Ok(text) => replaced(text, names).into_bytes(),
        Err(_) => content.to_vec(),
    };
    NewFile { path: (*path).to_owned(), content }
}

/// The text with each first word of the pairs replaced by its second, in one pass: what was put in stays.
fn replaced(text: &str, pairs: &[(String, String)]) -> String {
    let (mut done, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        // The longest: one name may start with another.
        let found =
            pairs.iter().filter(|(from, _)| rest.starts_with(from)).max_by_key(|(from, _)| from.len());
        let taken = match found {
            Some((from, to)) => {
                done.push_str(to);
                from.len()
            }
            None => {
                done.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    done
}

/// `loan-notice` as `LoanNotice`.
fn pascal(name: &str) -> String {
    name.split('-')
        .flat_map(|word| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)))
        .collect()
}

fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}

/// What stands under this heading, up to the next one of its level.
fn section<'a>(text: &'a str, heading: &str) -> Option<&'a str> {
    let start = text.find(&format!("{heading}\n"))? + heading.len() + 1;
    let rest = &text[start..];
    Some(&rest[..rest.find("\n## ").unwrap_or(rest.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        PluginName::new(text).expect("a name")
    }

    #[test]
    fn each_language_gives_a_plugin_with_the_new_name_and_nothing_of_a_build() {
        assert!(languages().any(|it| it == "rust") && languages().any(|it| it == "javascript"));
        for language in languages() {
            let files = find(language).expect("it is listed").files(&name("door-bell"));
            let manifest = files.iter().find(|file| file.path == "plugin.toml").expect("a manifest");
            let manifest = Manifest::parse(&text(&manifest.content)).expect("a valid manifest");
            assert_eq!(manifest.name, name("door-bell"), "{language}");
            for file in &files {
                assert!(!file.path.ends_with(".wasm") && !file.path.contains("target/"), "{}", file.path);
                let text = text(&file.content);
                let old = ["loan-notice", "loan_notice", "LoanNotice", CONTRACT_THERE, SDK_THERE];
                assert!(!old.iter().any(|old| text.contains(old)), "{language}: {}", file.path);
            }
            for path in ["wit/plugin.wit", "wit/log.wit", ".gitignore"] {
                assert!(files.iter().any(|file| file.path == path), "{language}: {path}");
            }
        }
    }

    #[test]
    fn a_folder_without_cases_or_sections_still_gives_a_plugin_that_can_be_tested() {
        let files: &[EmbeddedFile] = &[
            ("plugin.toml", b"name = \"loan-notice-x\"\nkinds = [\"*\"]\n"),
            ("README.md", b"# loan-notice, in X\n\n- It is X.\n"),
        ];
        let files = Template { language: "x", files }.files(&name("door-bell"));
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert!(
            paths.contains(&"events/on-loan.json") && paths.contains(&"expected/on-loan.json"),
            "{paths:?}"
        );
        let readme = text(&files.iter().find(|file| file.path == "README.md").expect("a README").content);
        assert!(
            readme.starts_with("# door-bell\n\nA Tidegate plugin in X:") && !readme.contains("Good to know"),
            "{readme}"
        );
    }

    #[test]
    fn a_readme_is_the_new_plugins_own() {
        for language in languages() {
            let files = find(language).expect("it is listed").files(&name("door-bell"));
            let readme = text(&files.iter().find(|file| file.path == "README.md").expect("a README").content);
            assert!(
                readme.starts_with("# door-bell\n") && readme.contains("tidegate plugin build"),
                "{readme}"
            );
            assert!(readme.contains("## Good to know") && !readme.contains("xtask"), "{language}: {readme}");
        }
    }

    #[test]
    fn the_contract_is_where_an_sdk_looks_for_it() {
        for (sdk, _) in SDKS {
            let files = contract_and_sdks(&[*sdk]);
            assert!(files.iter().any(|file| file.path.starts_with(&format!("sdk/{sdk}/"))), "{sdk}");
            let texts = files.iter().map(|file| text(&file.content));
            assert!(!texts.into_iter().any(|text| text.contains(CONTRACT_THERE)), "{sdk}");
        }
        let alone: Vec<_> = contract_and_sdks(&[]).into_iter().map(|file| file.path).collect();
        assert_eq!(alone, ["wit/plugin.wit", "wit/log.wit"]);
    }

    #[test]
    fn a_new_name_that_contains_the_old_one_is_put_in_once() {
        let pairs = find("rust").expect("it is listed").names(&name("loan-notice-2"));
        assert_eq!(replaced("a loan-notice, loan_notice é", &pairs), "a loan-notice-2, loan_notice_2 é");
    }
}
