//! The head of a request, as the shell hands it over: one text, so that it crosses into wasm once.
//! Knows nothing of URLs.

/// Method and headers of one request. Borrows from the text it was read from.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// Name (lower case) and value of each header the shell was told to bring.
    pub headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Head<'a> {
    /// Reads the shell's text: a line with the method, then a line `name:value` per header. Neither a method nor a
    /// header can hold a line feed (the HTTP parser before the Worker refuses it), so lines cannot be forged. A line
    /// without a colon is left out.
    #[must_use]
    pub fn read(text: &'a str) -> Self {
        let mut lines = text.split('\n');
        let method = lines.next().unwrap_or_default();
        let headers = lines.filter_map(|line| line.split_once(':')).collect();
        Self { method, headers }
    }

    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}
