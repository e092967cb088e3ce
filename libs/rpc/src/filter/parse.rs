//! From text to [`Filter`].

use tierline_domain::Rejection;

use super::{Filter, FilterValue, Operator, Term};
use crate::limits::{MAX_FILTER_BYTES, MAX_FILTER_DEPTH, MAX_FILTER_TERMS};

/// Reads a filter. Names of fields are not checked here.
///
/// # Errors
/// `INVALID_REQUEST` on `filter`, saying where and what is allowed there.
pub fn parse(text: &str) -> Result<Filter, Rejection> {
    if text.len() > MAX_FILTER_BYTES {
        return Err(Rejection::invalid(
            "filter",
            format!("must be at most {MAX_FILTER_BYTES} bytes long"),
        ));
    }
    let tokens = tokenize(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        terms: 0,
        end: text.chars().count() + 1,
    };
    if parser.tokens.is_empty() {
        return Ok(Filter::Everything);
    }
    let filter = parser.expression(0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(Token::Close) => Err(parser.wrong("this \")\" closes nothing")),
        Some(_) => Err(parser.wrong("write AND or OR between two terms")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Minus,
    Operator(Operator),
    /// A bare word.
    Word(String),
    /// A text in quotation marks.
    Quoted(String),
}

struct Placed {
    token: Token,
    column: usize,
}

fn refuse(column: usize, description: &str) -> Rejection {
    Rejection::invalid("filter", format!("at character {column}: {description}"))
}

fn is_word(c: char) -> bool {
    // Everything but what means something else; letters of any script may stand in values.
    !c.is_whitespace() && !c.is_control() && !"()\"'=!<>:,\\".contains(c)
}

fn tokenize(text: &str) -> Result<Vec<Placed>, Rejection> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let column = at + 1;
        let token = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => single(&mut at, Token::Open),
            ')' => single(&mut at, Token::Close),
            '-' if begins_term(&tokens) => single(&mut at, Token::Minus),
            '"' | '\'' => Token::Quoted(quoted(&chars, &mut at)?),
            '=' | '!' | '<' | '>' | ':' => operator(&chars, &mut at)?,
            c if is_word(c) => Token::Word(word(&chars, &mut at, after_operator(&tokens))),
            _ => {
                return Err(refuse(
                    column,
                    "this character is not allowed outside quotation marks",
                ));
            }
        };
        tokens.push(Placed { token, column });
    }
    Ok(tokens)
}

fn single(at: &mut usize, token: Token) -> Token {
    *at += 1;
    token
}

/// True where a term may begin, so that a minus means NOT and not a negative number.
fn begins_term(tokens: &[Placed]) -> bool {
    match tokens.last().map(|placed| &placed.token) {
        None | Some(Token::Open) => true,
        Some(Token::Word(word)) => matches!(word.as_str(), "AND" | "OR" | "NOT"),
        _ => false,
    }
}

fn after_operator(tokens: &[Placed]) -> bool {
    matches!(
        tokens.last().map(|placed| &placed.token),
        Some(Token::Operator(_))
    )
}

/// A word; as a value it may contain colons, so that times need no quotation marks.
fn word(chars: &[char], at: &mut usize, value: bool) -> String {
    let mut text = String::new();
    while let Some(&c) = chars.get(*at) {
        if is_word(c) || (value && c == ':') {
            text.push(c);
            *at += 1;
        } else {
            break;
        }
    }
    text
}

fn quoted(chars: &[char], at: &mut usize) -> Result<String, Rejection> {
    let begin = *at + 1;
    let mark = chars[*at];
    let mut text = String::new();
    *at += 1;
    loop {
        match chars.get(*at) {
            None => return Err(refuse(begin, "this quotation mark is never closed")),
            Some(c) if *c == mark => break,
            Some('\\') => match chars.get(*at + 1) {
                Some(c @ ('"' | '\'' | '\\')) => {
                    text.push(*c);
                    *at += 2;
                    continue;
                }
                _ => return Err(refuse(*at + 1, "after \\ only \", ' or \\ may follow")),
            },
            Some('\0') => return Err(refuse(*at + 1, "this character is not allowed")),
            Some(c) => text.push(*c),
        }
        *at += 1;
    }
    *at += 1;
    Ok(text)
}

fn operator(chars: &[char], at: &mut usize) -> Result<Token, Rejection> {
    let column = *at + 1;
    let first = chars[*at];
    let equals = chars.get(*at + 1) == Some(&'=');
    let (operator, length) = match (first, equals) {
        ('=', _) => (Operator::Equals, 1),
        ('!', true) => (Operator::NotEquals, 2),
        ('<', true) => (Operator::LessOrEquals, 2),
        ('<', false) => (Operator::Less, 1),
        ('>', true) => (Operator::GreaterOrEquals, 2),
        ('>', false) => (Operator::Greater, 1),
        (':', _) => (Operator::Has, 1),
        _ => return Err(refuse(column, "operators are =, !=, <, <=, >, >= and :")),
    };
    *at += length;
    Ok(Token::Operator(operator))
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    terms: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn column(&self) -> usize {
        self.tokens
            .get(self.at)
            .map_or(self.end, |placed| placed.column)
    }

    fn wrong(&self, description: &str) -> Rejection {
        refuse(self.column(), description)
    }

    fn next_is_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(text)) if text == word);
        if found {
            self.at += 1;
        }
        found
    }

    /// factor { AND factor }
    fn expression(&mut self, depth: usize) -> Result<Filter, Rejection> {
        if depth > MAX_FILTER_DEPTH {
            return Err(self.wrong(&format!("nested deeper than {MAX_FILTER_DEPTH} levels")));
        }
        let mut factors = vec![self.factor(depth)?];
        while self.next_is_word("AND") {
            factors.push(self.factor(depth)?);
        }
        Ok(one_or(factors, Filter::And))
    }

    /// term { OR term }
    fn factor(&mut self, depth: usize) -> Result<Filter, Rejection> {
        let mut terms = vec![self.term(depth)?];
        while self.next_is_word("OR") {
            terms.push(self.term(depth)?);
        }
        Ok(one_or(terms, Filter::Or))
    }

    /// [NOT | -] ( "(" expression ")" | comparison )
    fn term(&mut self, depth: usize) -> Result<Filter, Rejection> {
        if depth > MAX_FILTER_DEPTH {
            return Err(self.wrong(&format!("nested deeper than {MAX_FILTER_DEPTH} levels")));
        }
        if matches!(self.peek(), Some(Token::Minus)) || self.word_is_not() {
            self.at += 1;
            return Ok(Filter::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.peek() == Some(&Token::Open) {
            self.at += 1;
            let inner = self.expression(depth + 1)?;
            if self.peek() != Some(&Token::Close) {
                return Err(self.wrong("a \")\", AND or OR is missing here"));
            }
            self.at += 1;
            return Ok(inner);
        }
        self.comparison()
    }

    /// NOT, where it is not the name of a field.
    fn word_is_not(&self) -> bool {
        let next = self.tokens.get(self.at + 1).map(|placed| &placed.token);
        matches!(self.peek(), Some(Token::Word(word)) if word == "NOT")
            && !matches!(next, Some(Token::Operator(_)))
    }

    fn comparison(&mut self) -> Result<Filter, Rejection> {
        let column = self.column();
        self.terms += 1;
        if self.terms > MAX_FILTER_TERMS {
            return Err(self.wrong(&format!("has more than {MAX_FILTER_TERMS} comparisons")));
        }
        let field = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            _ => return Err(self.wrong("write a comparison like tier = gold")),
        };
        self.at += 1;
        let Some(Token::Operator(operator)) = self.peek() else {
            return Err(self.wrong("write an operator (=, !=, <, <=, >, >=, :) and a value here"));
        };
        let operator = *operator;
        self.at += 1;
        let value = match self.peek() {
            Some(Token::Quoted(text)) => FilterValue::Text(text.clone()),
            Some(Token::Word(text)) if text == "*" && operator == Operator::Has => FilterValue::Any,
            Some(Token::Word(text)) => FilterValue::Text(text.clone()),
            _ => return Err(self.wrong("write a value here; use \"\" for an empty text")),
        };
        self.at += 1;
        Ok(Filter::Term(Term {
            field,
            operator,
            value,
            column,
        }))
    }
}

fn one_or(mut items: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    if items.len() == 1 {
        items.remove(0)
    } else {
        many(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The filter with all of its parentheses.
    fn shape(filter: &Filter) -> String {
        let join = |items: &[Filter], word: &str| {
            let parts: Vec<_> = items.iter().map(shape).collect();
            format!("({})", parts.join(word))
        };
        match filter {
            Filter::Everything => "everything".to_owned(),
            Filter::OneOf(..) => unreachable!("no text is read as this"),
            Filter::And(items) => join(items, " AND "),
            Filter::Or(items) => join(items, " OR "),
            Filter::Not(inner) => format!("NOT {}", shape(inner)),
            Filter::Term(term) => match &term.value {
                FilterValue::Any => format!("{}:*", term.field),
                FilterValue::Text(text) => {
                    format!("{}{}[{text}]", term.field, term.operator.as_str())
                }
            },
        }
    }

    #[test]
    fn filters_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("", "everything"),
            ("   ", "everything"),
            ("tier = gold", "tier=[gold]"),
            ("a=1 AND b=2 OR b=3", "(a=[1] AND (b=[2] OR b=[3]))"),
            ("a=1 OR b=2 AND c=3", "((a=[1] OR b=[2]) AND c=[3])"),
            ("(a=1 AND b=2) OR c=3", "((a=[1] AND b=[2]) OR c=[3])"),
            ("NOT a=1 AND -b=2", "(NOT a=[1] AND NOT b=[2])"),
            ("NOT (a=1 OR b=2)", "NOT (a=[1] OR b=[2])"),
            ("NOT=1", "NOT=[1]"),
            ("tags:gold AND region:*", "(tags:[gold] AND region:*)"),
            (
                r#"name = "Ada \"and\" Co (AT)""#,
                r#"name=[Ada "and" Co (AT)]"#,
            ),
            ("name='it\\'s' AND x!=''", "(name=[it's] AND x!=[])"),
            ("count>=-5", "count>=[-5]"),
            ("t>2026-01-01T10:00:00Z", "t>[2026-01-01T10:00:00Z]"),
            ("name:Müller", "name:[Müller]"),
            ("name = *", "name=[*]"),
        ] {
            assert_eq!(shape(&parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        for (text, place) in [
            ("gold", "character 5"),
            ("a=1 b=2", "character 5: write AND or OR"),
            ("a=", "character 3"),
            ("=1", "character 1"),
            ("(a=1", "character 5"),
            ("a=1)", "character 4"),
            ("a=1 AND", "character 8"),
            ("a=\"x", "character 3: this quotation mark"),
            ("a!1", "character 2"),
            ("a=1, b=2", "character 4"),
            ("a='\\x'", "character 4"),
        ] {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.violations[0].field, "filter");
            let description = &refusal.violations[0].description;
            assert!(description.contains(place), "{text}: {description}");
        }
    }

    #[test]
    fn length_depth_and_number_of_terms_are_bounded() {
        assert!(parse(&"(".repeat(3_000)).is_err());
        assert!(parse(&format!("{}a=1", "NOT ".repeat(900))).is_err());
        assert!(parse(&format!("{}a=1{}", "(".repeat(20), ")".repeat(20))).is_ok());
        assert!(parse(&vec!["a=1"; 101].join(" AND ")).is_err());
        assert!(parse(&vec!["a=1"; 100].join(" AND ")).is_ok());
        assert!(parse(&"x".repeat(MAX_FILTER_BYTES + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_mixture_of_tokens_makes_the_parser_panic(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "(", ")", "AND", "OR", "NOT", "-", "a", "=", "!=", ":", "*", "\"x\"", "'", "\\",
                    "<", ">=", " ", "\0", "ä",
                ]),
                0..60,
            )
        ) {
            let _ = parse(&parts.concat());
            let _ = parse(&parts.join(" "));
        }
    }
}
