use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn document(layers: &[(&str, &str)]) -> Document {
    let layers = layers.iter().map(|(media_type, title)| {
        let annotations = serde_json::json!({ TITLE: title });
        serde_json::json!({ "mediaType": media_type, "digest": DIGEST, "size": 0, "annotations": annotations })
    });
    let text = serde_json::json!({ "schemaVersion": 2, "layers": layers.collect::<Vec<_>>() }).to_string();
    Document::parse(text.as_bytes()).expect("a document")
}

fn titles(parts: &Parts) -> [Option<&str>; 3] {
    let of = |part: &Option<Part>| part.as_ref().and_then(Part::title).is_some();
    [
        parts.component.title(),
        of(&parts.manifest).then_some("manifest"),
        of(&parts.signature).then_some("signature"),
    ]
}

#[test]
fn what_other_tools_push_is_understood() {
    let toml = ("application/toml", "plugin.toml");
    for (layers, expected) in [
        (vec![("application/wasm", "x.wasm")], [Some("x.wasm"), None, None]),
        (vec![("application/vnd.wasm.content.layer.v1+wasm", "x")], [Some("x"), None, None]),
        (vec![toml, ("application/wasm", "x")], [Some("x"), Some("manifest"), None]),
        // `oras push` without types.
        (
            vec![
                ("application/vnd.oci.image.layer.v1.tar", "plugin.wasm"),
                ("application/vnd.oci.image.layer.v1.tar", "plugin.toml"),
                ("application/vnd.oci.image.layer.v1.tar", "plugin.wasm.minisig"),
            ],
            [Some("plugin.wasm"), Some("manifest"), Some("signature")],
        ),
    ] {
        let parts = document(&layers).parts().expect("a plugin");
        assert_eq!(titles(&parts), expected, "{layers:?}");
    }
}

#[test]
fn what_is_no_plugin_is_refused_with_what_there_is() {
    let two = [("application/wasm", "a.wasm"), ("application/wasm", "b.wasm")];
    let error = document(&two).parts().expect_err("two components").to_string();
    assert!(error.contains("2 components") && error.contains("b.wasm"), "{error}");
    let image = [("application/vnd.oci.image.layer.v1.tar+gzip", "root")];
    let error = document(&image).parts().expect_err("an image").to_string();
    assert!(error.contains("0 components") && error.contains("tar+gzip"), "{error}");
    let index = format!(r#"{{"manifests":[{{"mediaType":"x","digest":"{DIGEST}","size":1}}]}}"#);
    let error = Document::parse(index.as_bytes()).expect("JSON").parts().expect_err("an index").to_string();
    assert!(error.contains("index of 1") && error.contains(DIGEST), "{error}");
}

#[test]
fn what_is_pushed_is_what_is_read() {
    let pushed = Pushed { component: b"component", manifest: "name = \"a\"", signature: Some("a signature") };
    let (document, blobs) = pushed.document();
    let parts = Document::parse(&document.text()).expect("a document").parts().expect("a plugin");
    assert_eq!(titles(&parts), [Some("plugin.wasm"), Some("manifest"), Some("signature")]);
    for (part, bytes) in &blobs {
        assert_eq!(part.sha256().expect("a SHA-256"), Digest::of(bytes));
    }
    let (_, config) = blobs.last().expect("the configuration is last");
    let config: serde_json::Value = serde_json::from_slice(config).expect("JSON");
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["layerDigests"][0], format!("sha256:{}", Digest::of(b"component")));
    assert_eq!(pushed.document().0.text(), document.text(), "the same files have the same digest");
}
