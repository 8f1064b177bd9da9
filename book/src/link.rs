//! Finds the links of a site that lead to no page or place of it. Knows nothing of how the site was made.

use anyhow::Context as _;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// `page: link` for each that leads nowhere. What is elsewhere is not asked for.
pub(crate) fn broken(site: &Path) -> anyhow::Result<Vec<String>> {
    let mut pages = HashMap::new();
    for entry in fs::read_dir(site)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "html") {
            let name = path.file_name().context("a page has a name")?.to_string_lossy().into_owned();
            pages.insert(name, fs::read_to_string(&path)?);
        }
    }
    let mut broken = BTreeSet::new();
    for (name, text) in &pages {
        // The chapter alone: what stands around it is the same on all pages, and made by the maker of books.
        let chapter =
            text.split("<main>").nth(1).and_then(|rest| rest.split("</main>").next()).unwrap_or_default();
        for link in attributes(chapter, "href=\"") {
            let (page, place) = link.split_once('#').unwrap_or((link, ""));
            let is_elsewhere = page.contains("://") || page.starts_with("mailto:");
            let target = if page.is_empty() { Some(text) } else { pages.get(page) };
            let is_there = target.is_some_and(|target| {
                place.is_empty() || attributes(target, "id=\"").any(|known| known == place)
            });
            if !is_elsewhere && !is_there {
                broken.insert(format!("{name}: {link}"));
            }
        }
    }
    Ok(broken.into_iter().collect())
}

fn attributes<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn a_link_leads_to_a_page_and_a_place_in_it() {
        let site = std::env::temp_dir().join(format!("tidegate-book-{}", std::process::id()));
        std::fs::create_dir_all(&site).expect("makes a folder");
        let page = |name: &str, text: &str| std::fs::write(site.join(name), text).expect("writes");
        page(
            "a.html",
            r##"<main><h1 id="top"></h1><a href="b.html#x"><a href="#top"><a href="https://c.example/"></main>"##,
        );
        page("b.html", r#"<main><a href="a.html#none"><a href="c.html"></main><a href="d.html">"#);
        let found = broken(&site);
        std::fs::remove_dir_all(&site).expect("takes it away");
        assert_eq!(found.expect("looks"), ["a.html: b.html#x", "b.html: a.html#none", "b.html: c.html"]);
    }
}
