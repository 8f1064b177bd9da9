//! What a new plugin starts from: the folders of `plugins/`, as they were when this program was built. Pure; knows
//! nothing of the directory they are written to.
//!
//! A folder is a template by having a `plugin.toml`. Of its README a new plugin takes the section `## Build`, whose
//! first `sh` block makes `plugin.wasm` in a copy of the folder, and the section `## Good to know`; a README without
//! them is taken whole. All folders hold the same plugin, so one without `events/` gets the first folder's that has them, with
//! what is expected of them. In all texts the template's names become the new one's, and `../../wit/v1` becomes `wit`.

use super::case::{EVENTS, EXPECTED};
use crate::plugin::{Manifest, PluginName};

/// The contract, which each new plugin gets a copy of.
const CONTRACT: &str = include_str!("../../../wit/v1/plugin.wit");
/// Where the contract is, seen from a folder of `plugins/`.
const CONTRACT_THERE: &str = "../../wit/v1";
/// Where it is in a new plugin.
const CONTRACT_HERE: &str = "wit";
/// What the plugins of this repository are called, some with a suffix for the language.
const FAMILY: &str = "loan-notice";

/// Path and content.
type EmbeddedFile = (&'static str, &'static [u8]);

static TEMPLATES: &[(&str, &[EmbeddedFile])] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

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
        let path = format!("{CONTRACT_HERE}/plugin.wit");
        files.push(NewFile { path, content: CONTRACT.as_bytes().to_vec() });
        files
    }

    /// The lines that build a plugin of this name in its directory; none when its README has to be read for that.
    #[must_use]
    pub fn build_lines(&self, name: &PluginName) -> Vec<String> {
        let readme = self.files.iter().find(|(path, _)| *path == "README.md");
        let readme = readme.map_or_else(String::new, |(_, content)| text(content));
        let block = section(&readme, "## Build").and_then(first_block).unwrap_or_default();
        replaced(block, &self.names(name)).lines().map(str::to_owned).collect()
    }

    /// What is replaced by what: names in the spellings of all languages, and the contract's place.
    fn names(&self, name: &PluginName) -> Vec<(String, String)> {
        let manifest = self.files.iter().find(|(path, _)| *path == "plugin.toml");
        let manifest = manifest.and_then(|(_, content)| Manifest::parse(&text(content)).ok());
        let own = manifest.map(|manifest| manifest.name.to_string());
        let mut pairs = vec![(CONTRACT_THERE.to_owned(), CONTRACT_HERE.to_owned())];
        for old in own.iter().map(String::as_str).chain([FAMILY]) {
            pairs.push((old.to_owned(), name.to_string()));
            pairs.push((old.replace('-', "_"), name.as_str().replace('-', "_")));
            pairs.push((pascal(old), pascal(name.as_str())));
        }
        pairs
    }

    fn readme(&self, name: &PluginName, there: &str) -> String {
        let (build, good_to_know) = (section(there, "## Build"), section(there, "## Good to know"));
        let more = match (build, good_to_know) {
            (None, None) => format!(
                "## About the template, in Tidegate's repository\n\n{}\n",
                there.trim().trim_start_matches("# ")
            ),
            (build, rest) => [("## Build", build), ("## Good to know", rest)]
                .into_iter()
                .filter_map(|(heading, body)| Some(format!("{heading}\n\n{}\n", body?.trim())))
                .collect::<Vec<_>>()
                .join("\n"),
        };
        format!(
            "# {name}\n\n\
             A Tidegate plugin in {language}: an event in, decisions out. `plugin.toml` says which events it is asked \
             about, which hosts it may reach and its settings; `wit/plugin.wit` is the contract.\n\n\
             {more}\n\
             ## Work on it\n\n\
             ```sh\n\
             tidegate plugin run . events/NAME.json   # what it decides, and what the host would do about it\n\
             tidegate plugin test . --watch           # events/ against expected/, again on each change\n\
             tidegate plugin check .                  # what it is and whether a host would take it\n\
             tidegate plugin bench .                  # time and memory per event, against its limits\n\
             tidegate plugin deploy .                 # the next event is decided by it\n\
             ```\n",
            language = self.language
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

/// What stands in the first fenced block of shell lines.
fn first_block(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("```sh\n")?;
    Some(rest.split_once("```")?.0)
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
                let old = ["loan-notice", "loan_notice", "LoanNotice", CONTRACT_THERE];
                assert!(!old.iter().any(|old| text.contains(old)), "{language}: {}", file.path);
            }
            assert!(files.iter().any(|file| file.path == "wit/plugin.wit"));
        }
    }

    #[test]
    fn a_folder_without_cases_or_sections_still_gives_a_plugin_that_can_be_tested() {
        let files: &[EmbeddedFile] = &[
            ("plugin.toml", b"name = \"loan-notice-x\"\nkinds = [\"*\"]\n"),
            ("README.md", b"# loan-notice, in X\n\n- It is X.\n"),
        ];
        let template = Template { language: "x", files };
        let files = template.files(&name("door-bell"));
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert!(
            paths.contains(&"events/on-loan.json") && paths.contains(&"expected/on-loan.json"),
            "{paths:?}"
        );
        let readme = text(&files.iter().find(|file| file.path == "README.md").expect("a README").content);
        assert!(readme.starts_with("# door-bell\n") && readme.contains("- It is X."), "{readme}");
        assert!(template.build_lines(&name("door-bell")).is_empty());
    }

    #[test]
    fn a_template_says_how_it_is_built_under_its_new_name() {
        for language in ["rust", "javascript"] {
            let template = find(language).expect("it is listed");
            let lines = template.build_lines(&name("door-bell"));
            assert!(lines.last().is_some_and(|line| line.ends_with("plugin.wasm")), "{lines:?}");
            let readme = template.files(&name("door-bell")).into_iter().find(|file| file.path == "README.md");
            let readme = text(&readme.expect("a README").content);
            assert!(
                lines.iter().all(|line| readme.contains(line)) && readme.starts_with("# door-bell\n"),
                "{readme}"
            );
            assert!(readme.contains("## Good to know") && !readme.contains("xtask"), "{readme}");
        }
    }

    #[test]
    fn a_new_name_that_contains_the_old_one_is_put_in_once() {
        let pairs = find("rust").expect("it is listed").names(&name("loan-notice-2"));
        assert_eq!(replaced("a loan-notice, loan_notice é", &pairs), "a loan-notice-2, loan_notice_2 é");
    }
}
