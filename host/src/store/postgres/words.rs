//! Puts statements into PostgreSQL's words.

use anyhow::Context as _;
use postgres::types::Type;

/// The statement for one set of values. What is to be opened comes as a row within the row: value, column and key.
pub(super) fn one(sql: &str) -> String {
    let mut words = sql.replace("unseal(", "ROW(");
    while let Some((before, after)) = words.split_once("IN rarray(") {
        words = format!("{before}= ANY({after}");
    }
    words.replace('?', "$")
}

/// The statement for many sets of values, each given as an array of its first values, one of its second, and so on: [`one`]'s
/// with the types of its values.
pub(super) fn many(one: &str, types: &[Type]) -> anyhow::Result<String> {
    let column = |text: &str| {
        (1..=types.len())
            .rev()
            .fold(text.to_owned(), |text, at| text.replace(&format!("${at}"), &format!("c{at}")))
    };
    let arrays: Vec<_> = (1..).zip(types).map(|(at, ty)| format!("${at}::{}[]", ty.name())).collect();
    let names: Vec<_> = (1..=types.len()).map(|at| format!("c{at}")).collect();
    let rows = format!("UNNEST({}) WITH ORDINALITY AS many({}, n)", arrays.join(", "), names.join(", "));
    if let Some((before, after)) = one.split_once("VALUES (") {
        let (values, after) = after.split_once(')').context("find the end of the values")?;
        return Ok(format!("{before}SELECT {} FROM {rows} ORDER BY n{after}", column(values)));
    }
    let (before, after) = one.split_once("WHERE").context("find what is changed by values")?;
    Ok(format!("{} FROM {rows} WHERE{}", column(before.trim_end()), column(after)))
}

/// The name of the first column that an insertion writes.
pub(super) fn first_column(sql: &str) -> anyhow::Result<&str> {
    let (_, after) = sql.split_once('(').context("find the columns")?;
    let (first, _) = after.split_once(',').context("find the first column")?;
    Ok(first.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_database_says_in_its_own_words_is_said_in_postgresqls() {
        assert_eq!(
            one(
                "SELECT unseal(a.b, 'a.b', a.k) FROM a WHERE k IN rarray(?1) AND NOT (s IN rarray(?2)) LIMIT ?3"
            ),
            "SELECT ROW(a.b, 'a.b', a.k) FROM a WHERE k = ANY($1) AND NOT (s = ANY($2)) LIMIT $3"
        );
    }

    #[test]
    fn one_statement_writes_many_rows() {
        let types = [Type::INT8, Type::BYTEA];
        let insert = many("INSERT INTO a (k, n, v) VALUES ($1, 0, $2) ON CONFLICT (k) DO NOTHING", &types);
        assert_eq!(
            insert.expect("an insertion"),
            "INSERT INTO a (k, n, v) SELECT c1, 0, c2 FROM UNNEST($1::int8[], $2::bytea[]) WITH ORDINALITY AS \
             many(c1, c2, n) ORDER BY n ON CONFLICT (k) DO NOTHING"
        );
        assert_eq!(
            many("UPDATE a SET v = $2 WHERE k = $1", &types).expect("a change"),
            "UPDATE a SET v = c2 FROM UNNEST($1::int8[], $2::bytea[]) WITH ORDINALITY AS many(c1, c2, n) WHERE k = c1"
        );
        assert_eq!(first_column("INSERT INTO a (k, n) VALUES").expect("has one"), "k");
    }
}
