//! JSON that arrives in pieces: what is complete is masked at once, so its raw text need not be held, and the end has little left to do.

use super::json::{self, Paused, Rewritten};
use super::scan::Commas;
use super::{charset, multipart, with_variables, Body, Kind, Masked, Rules, QUERY, VARIABLES};

/// Less than this waits for more: a short body is masked in one go.
const STEP: usize = 32 * 1024;

/// A body in the making, of which as much as can be is masked already. The masked text is that of
/// [`mask_content`](super::mask_content) for the whole, but for the hash in the note of a body that turns out to be binary late.
pub struct Pieces {
    /// What arrived and is not masked yet.
    rest: Vec<u8>,
    /// Bytes of text before it, which are.
    done: usize,
    state: State,
    commas: Commas,
    /// When there are so many bytes it is tried again.
    due: usize,
    step: usize,
}

enum State {
    Going(Paused),
    /// The rest has to be seen as a whole.
    Waiting(Paused),
    /// The text is no JSON from somewhere on.
    Broken(Rewritten),
}

// The content stays out of logs.
impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("done", &self.done).field("rest", &self.rest.len()).finish_non_exhaustive()
    }
}

impl Pieces {
    /// A body of this type. With rules or a type that ask for the whole body nothing is done before its end.
    pub fn new(rules: &Rules, content_type: Option<&str>) -> Self {
        let declared = content_type.and_then(|t| multipart::parameter(t, "charset"));
        let json = matches!(super::kind_of(&super::essence(content_type.unwrap_or(""))), Kind::Json);
        let whole = !json
            || !rules.mask_body
            || !charset::is_utf8(declared.as_deref())
            || !rules.own.paths.is_empty()
            || rules.explains();
        Self::every(if whole { usize::MAX } else { STEP })
    }

    pub(super) fn every(step: usize) -> Self {
        let state = State::Going(Paused::default());
        Pieces { rest: Vec::new(), done: 0, state, commas: Commas::default(), due: step, step }
    }

    /// The next bytes.
    pub fn push(&mut self, rules: &Rules, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        if self.rest.len() >= self.due {
            self.advance(rules);
            // What could not be masked is not looked at again until there is twice as much.
            self.due = self.rest.len().saturating_add(self.rest.len().max(self.step));
        }
    }

    /// So many bytes it holds.
    pub fn held(&self) -> usize {
        let masked = match &self.state {
            State::Going(paused) | State::Waiting(paused) => paused.held(),
            State::Broken(rewritten) => rewritten.text.len(),
        };
        self.rest.len() + masked
    }

    fn advance(&mut self, rules: &Rules) {
        let State::Going(paused) = &mut self.state else { return };
        let Some(comma) = self.commas.last(&self.rest) else { return };
        let mark: &[u8] = "\u{FEFF}".as_bytes();
        let begin = if self.done == 0 && self.rest.starts_with(mark) { mark.len() } else { 0 };
        let text = self.rest.get(begin..=comma).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let paused = std::mem::take(paused);
        // The variables of a GraphQL request may stand before the query that tells which are secret. (And what is not UTF-8 is told
        // with all that follows.)
        let Some(text) = text.filter(|text| !text.contains(QUERY) && !text.contains(VARIABLES)) else {
            self.state = State::Waiting(paused);
            return;
        };
        self.state = match json::piece(rules, text, paused) {
            Ok(paused) => {
                self.done += comma - begin;
                self.rest.drain(..comma);
                self.commas.taken(comma);
                State::Going(paused)
            }
            Err(rewritten) => State::Broken(self.after_done(rewritten)),
        };
    }

    fn after_done(&self, rewritten: Rewritten) -> Rewritten {
        Rewritten { broke_at: rewritten.broke_at.map(|at| at + self.done), ..rewritten }
    }

    /// The body as it arrived, while nothing of it is masked: then nothing is lost by masking it as a whole.
    pub fn whole(&self) -> Option<&[u8]> {
        (self.done == 0).then_some(&self.rest)
    }

    /// What may leave the process in place of the body, of which these were the first of `size` bytes. (`cut`: more follow.)
    pub fn end(mut self, rules: &Rules, content_type: Option<&str>, size: u64, cut: bool) -> Masked {
        let body = Body { cut, size, arrived: &[], ..Body::new(content_type, &self.rest) };
        if self.done == 0 {
            return super::mask_content(rules, None, &body.arrived_as(&self.rest, size));
        }
        // (The mark is gone already.)
        let text = match charset::text(&self.rest, Some("utf-8"), true, cut) {
            Ok(text) => text,
            Err(reason) => return body.described(reason),
        };
        let state = std::mem::replace(&mut self.state, State::Going(Paused::default()));
        let rewritten = match state {
            State::Broken(rewritten) => rewritten,
            State::Going(paused) | State::Waiting(paused) => {
                // A request so late in a body is not shown: paths to its variables would have to know where it stands.
                let request = !matches!(with_variables(rules, &text), Ok(None));
                let text = if request { "" } else { &text };
                self.after_done(json::rest(rules, &rules.own.paths, text, cut, 0, paused))
            }
        };
        super::json_kept(rules, &body, &text, rewritten)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Random;
    use super::super::{mask_body, PLACEHOLDER};
    use super::*;

    fn masked(rules: &Rules, text: &str, step: usize, next: &mut dyn FnMut() -> usize) -> (Masked, usize) {
        let mut pieces = Pieces::every(step);
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (chunk, more) = rest.split_at(next().clamp(1, rest.len()));
            pieces.push(rules, chunk);
            rest = more;
        }
        let done = pieces.done;
        (pieces.end(rules, Some("application/json"), text.len() as u64, false), done)
    }

    /// Text with much between its tokens, so that there is a block after every comma.
    fn wide(text: &str) -> String {
        text.replace(',', &format!(",{}", " ".repeat(130)))
    }

    #[test]
    fn whatever_the_pieces_the_masked_text_is_that_of_the_whole() {
        let rules = Rules::default();
        let cases = [
            r#"{"a":1,"password":"hunter2","b":[1,2,{"pin":1,"x":"y"}],"c":"d"}"#,
            // In masked containers.
            r#"{"password":{"a":[1,2,{"b":3,"c":[4,5]}],"d":6},"e":7}"#,
            // Pairs in all orders, whose parts stand in different pieces.
            r#"{"a":1,"name":"password","b":2,"c":[1,2],"value":"hunter2","d":3}"#,
            r#"{"a":1,"value":"hunter2","b":2,"name":"password","d":3}"#,
            r#"{"value":{"x":[1,"hunter2"]},"b":2,"name":"password","d":3}"#,
            r#"{"key":"password","b":2,"value":"hunter2"}"#,
            r#"[["password","hunter2"],["user","jo"],["token",["hunter2",1]]]"#,
            r#"["password","hunter2"]"#,
            r#"["user",{"a":1,"b":2},"c"]"#,
            r#"["user",["a","b"],"c"]"#,
            r#"["password",{"a":"hunter2","b":2}]"#,
            r#"["password",["hunter2",2],3]"#,
            r#"["user","password","hunter2","x"]"#,
            r#"["user","jo","password","hunter2"]"#,
            r#"["--password","hunter2","-v"]"#,
            // Tables.
            r#"[["id","password"],[1,"hunter2"],[2,"hunter2"]]"#,
            r#"{"columns":["id","password"],"n":2,"rows":[[1,"hunter2"],[2,"hunter2"]]}"#,
            r#"{"rows":[[1,"hunter2"],[2,"hunter2"]],"n":2,"columns":["id","password"]}"#,
            r#"{"rows":[{"f":[{"v":1},{"v":"hunter2"}]}],"schema":{"fields":[{"name":"id"},{"name":"password"}]}}"#,
            r#"{"loc":["body","password"],"msg":"x","input":"hunter2"}"#,
            // Documents one after the other, and text that breaks off.
            "{\"a\":1,\"pin\":2}\n{\"a\":1,\"pin\":2}\n[1,2]",
            r#"{"a":1,"name":"password","b":[1,2,"#,
            r#"{"a":1,"b":nonsense,"c":1}"#,
            "[1,\"a,b\\\",c\",[2,\"d\"],{\"e\":\"f,\\u0041\"}]",
        ];
        let mut random = Random(4711);
        let mut texts: Vec<String> = cases.iter().map(|text| (*text).to_owned()).collect();
        texts.extend((0..100).map(|_| serde_json::to_string(&random.value(0)).unwrap()));
        let (mut tried, mut resumed) = (0, 0);
        for text in texts.iter().flat_map(|text| [text.clone(), wide(text), wide(&wide(text))]) {
            let whole = mask_body(&rules, Some("application/json"), text.as_bytes());
            for step in [1, 64, 300] {
                let (pieces, done) = masked(&rules, &text, step, &mut || step);
                assert_eq!(pieces, whole, "{text}");
                let (pieces, _) = masked(&rules, &text, step, &mut || random.next(200) + 1);
                assert_eq!(pieces, whole, "{text}");
                tried += 1;
                resumed += usize::from(done > 0);
            }
        }
        assert!(resumed * 6 > tried, "{resumed} of {tried}");
        assert!(texts.iter().any(|text| mask_body(&rules, None, text.as_bytes()).text.contains(PLACEHOLDER)));
    }
}
