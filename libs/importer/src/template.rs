//! Templates: text with columns in braces, such as `contact@{name|slug}.example`.

use crate::filters::{FILTERS, Filter};

/// One piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<C> {
    Text(String),
    Column { column: C, filters: Vec<Filter> },
}

/// Takes a template apart. `{{` and `}}` stand for braces.
pub(crate) fn parse(text: &str) -> Result<Vec<Piece<String>>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err("has a \"}\" without a \"{\"; write \"}}\" for the brace itself".into());
        }
        let Some(end) = rest.find('}') else {
            return Err("has a \"{\" without its \"}\"; write \"{{\" for the brace itself".into());
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        pieces.push(placeholder(&rest[..end])?);
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

fn placeholder(text: &str) -> Result<Piece<String>, String> {
    let mut parts = text.split('|');
    let column = parts.next().unwrap_or_default().trim().to_owned();
    if column.is_empty() {
        return Err("has a placeholder without a column; write it like {Column|slug}".into());
    }
    let mut filters = Vec::new();
    for part in parts {
        match Filter::parse(part) {
            Some(filter) => filters.push(filter),
            None => return Err(format!("has no filter \"{part}\"; allowed: {FILTERS}")),
        }
    }
    Ok(Piece::Column { column, filters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_columns_and_filters_are_taken_apart() {
        let pieces = parse("a{{{ Key |pad:3|lower}}}z").unwrap();
        assert_eq!(
            pieces,
            [
                Piece::Text("a{".into()),
                Piece::Column {
                    column: "Key".into(),
                    filters: vec![Filter::Pad(3), Filter::Lower]
                },
                Piece::Text("}z".into()),
            ]
        );
    }

    #[test]
    fn a_broken_template_says_what_is_wrong() {
        assert!(parse("{Key").unwrap_err().contains("without its"));
        assert!(parse("Key}").unwrap_err().contains("without a"));
        assert!(parse("{}").unwrap_err().contains("without a column"));
        assert!(parse("{Key|slugg}").unwrap_err().contains("slug"));
    }
}
