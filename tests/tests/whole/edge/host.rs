//! The host's paths: for its token alone.

use super::stage::{Stage, varied};
use tidegate_tests::edge::{HOST_TOKEN, SOURCE, TOKEN};

const RECEIPT: &str = "01KAVNQXYZ0000000000000000";

#[tokio::test]
async fn the_hosts_paths_are_closed_to_everybody_else() {
    let stage = Stage::set().await;
    stage.post(varied(200_000)).await;
    let receipt = stage.envelope().receipt;
    for path in
        ["/status".to_owned(), format!("/vault/{SOURCE}/{receipt}"), format!("/vault/{SOURCE}/{RECEIPT}")]
    {
        for method in ["GET", "DELETE", "POST"] {
            for authorization in [
                None,
                Some(String::new()),
                Some("Bearer".to_owned()),
                Some("Bearer ".to_owned()),
                Some(format!("Basic {HOST_TOKEN}")),
                Some(HOST_TOKEN.to_owned()),
                Some(format!("Bearer {TOKEN}")),
                Some(format!("Bearer {HOST_TOKEN}x")),
                Some(format!("Bearer {}", &HOST_TOKEN[1..])),
            ] {
                let request = stage.client.request(method.parse().expect("a method"), stage.edge.url(&path));
                let request = match &authorization {
                    Some(value) => request.header("Authorization", value),
                    None => request,
                };
                let response = request.send().await.expect("the edge answers");
                assert_eq!(response.status(), 401, "{method} {path} {authorization:?}");
                let answer = response.text().await.expect("text");
                assert_eq!(answer, r#"{"error":"this path needs the host's bearer token"}"#);
            }
        }
    }
    // It is all still there.
    let given = stage.host("GET", &format!("/vault/{SOURCE}/{receipt}")).await;
    assert_eq!(given.bytes().await.expect("the body").len(), 200_000);
}

#[tokio::test]
async fn what_is_not_in_the_vault_is_a_404_and_deleting_it_is_done_already() {
    let stage = Stage::set().await;
    for source in [SOURCE, "nobody"] {
        let path = format!("/vault/{source}/{RECEIPT}");
        let response = stage.host("GET", &path).await;
        assert_eq!(response.status(), 404);
        assert_eq!(response.text().await.expect("text"), r#"{"error":"the vault has no such body"}"#);
        assert_eq!(stage.host("DELETE", &path).await.status(), 204);
        assert_eq!(stage.host("POST", &path).await.status(), 405);
    }
    for path in ["/vault", "/vault/", "/vault/amj", "/vault/amj/", "/vault/amj/x", "/vault/A/01", "/status/"]
    {
        assert_eq!(stage.host("GET", path).await.status(), 404, "{path}");
    }
    assert_eq!(stage.host("POST", "/status").await.status(), 405);
}

#[tokio::test]
async fn an_upload_that_was_not_completed_is_not_given() {
    let stage = Stage::set().await;
    let mut sender = super::stage::Chunked::open(&stage.edge, &tidegate_tests::edge::live_path()).await;
    sender.chunk(&varied(3 << 20)).await.expect("sent");
    stage.source_status(|status| status.vault.is_some_and(|vault| vault.bodies == 1)).await;
    let files = stage.vault_files();
    let database = rusqlite::Connection::open(&files[0]).expect("the vault's file");
    let receipt: String =
        database.query_row("SELECT receipt FROM body", [], |row| row.get(0)).expect("a row");
    drop(database);
    assert_eq!(stage.host("GET", &format!("/vault/{SOURCE}/{receipt}")).await.status(), 404);
    sender.end().await.expect("sent");
    assert_eq!(sender.status().await, 202);
    assert_eq!(stage.host("GET", &format!("/vault/{SOURCE}/{receipt}")).await.status(), 200);
}
