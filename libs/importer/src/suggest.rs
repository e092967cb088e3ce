//! Close names for a name that was not found.

/// The names among `known` that look like `name`, best first, at most three.
pub(crate) fn close_names<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Vec<&'a str> {
    let wanted = fold(name);
    let mut close: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&wanted, &fold(candidate));
            (distance <= 1 + wanted.chars().count() / 4).then_some((distance, candidate))
        })
        .collect();
    close.sort();
    close.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `; did you mean "x" or "y"?`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let close = close_names(name, known);
    if close.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = close.iter().map(|name| format!("\"{name}\"")).collect();
    format!("; did you mean {}?", quoted.join(" or "))
}

// Case, blanks, '-' and '_' are what differs between two spellings of one column.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_of_a_column_is_close_and_another_column_is_not() {
        let known = ["Deal Owner", "Deal Stage", "Amount"];
        assert_eq!(close_names("deal_owner", known), ["Deal Owner"]);
        assert_eq!(close_names("Reseller", known), Vec::<&str>::new());
        assert_eq!(did_you_mean("Amuont", known), "; did you mean \"Amount\"?");
    }
}
