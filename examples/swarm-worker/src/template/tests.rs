use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn context() -> Context {
    let labels = [("team", "blue"), ("com.example.size", "2"), ("empty", "")];
    Context {
        service_id: "sid".to_owned(),
        service_name: "web".to_owned(),
        service_labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        node_id: "nid".to_owned(),
        node_hostname: "host-1".to_owned(),
        node_architecture: "x86_64".to_owned(),
        node_os: "linux".to_owned(),
        task_id: "tid".to_owned(),
        task_name: "web.3.tid".to_owned(),
        task_slot: "3".to_owned(),
    }
}

struct Some_;

impl Payload for Some_ {
    fn secret(&self, target: &str) -> Result<String, String> {
        match target {
            "app.key" => Ok("hunter2".to_owned()),
            _ => Err(format!("the task has no secret {target:?}")),
        }
    }

    fn config(&self, target: &str) -> Result<String, String> {
        Ok(format!("config of {target}"))
    }

    fn env(&self, name: &str) -> String {
        if name == "A" { "1".to_owned() } else { String::new() }
    }
}

#[test]
fn every_value_of_a_swarm_can_be_used() {
    for (template, expected) in [
        ("", ""),
        ("no template", "no template"),
        ("}} {", "}} {"),
        ("{{.Service.ID}}-{{.Service.Name}}", "sid-web"),
        ("{{ .Node.ID }} {{.Node.Hostname}}", "nid host-1"),
        ("{{.Node.Platform.OS}}/{{.Node.Platform.Architecture}}", "linux/x86_64"),
        ("{{.Task.ID}} {{.Task.Name}} {{.Task.Slot}}", "tid web.3.tid 3"),
        ("{{.Service.Labels.team}}", "blue"),
        ("{{index .Service.Labels \"com.example.size\"}}", "2"),
        ("{{index .Service.Labels \"none\"}}", ""),
        ("{{.Service.Labels}}", "map[com.example.size:2 empty: team:blue]"),
        ("{{.Node.Platform}}", "{x86_64 linux}"),
        ("{{$.Task.Slot}}{{(.Node).ID}}", "3nid"),
    ] {
        assert_eq!(context().expand(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn the_language_is_that_of_go() {
    for (template, expected) in [
        ("a{{/* a comment */}}b", "ab"),
        ("a  {{- \"x\" -}}  b", "axb"),
        ("a {{- /* c */ -}} b", "ab"),
        ("{{3 -}} x", "3x"),
        ("{{`raw \\n`}}{{\"\\t\\x41\\u00e4\\101\"}}", "raw \\n\tAäA"),
        ("{{'a'}} {{0x10}} {{1_000}} {{-5}} {{017}} {{1.5}}", "97 16 1000 -5 15 1.5"),
        ("{{true}} {{nil | printf \"%v\"}}", "true <nil>"),
        ("{{if .Service.Labels.empty}}a{{else}}b{{end}}", "b"),
        ("{{if eq .Task.Slot \"1\"}}a{{else if eq .Task.Slot \"3\"}}c{{else}}x{{end}}", "c"),
        ("{{with .Service.Labels}}{{.team}}{{end}}", "blue"),
        ("{{with .Service.Labels.empty}}x{{else}}none{{end}}", "none"),
        (
            "{{range $k, $v := .Service.Labels}}{{$k}}={{$v}},{{end}}",
            "com.example.size=2,empty=,team=blue,",
        ),
        ("{{range .Service.Labels}}[{{.}}]{{end}}", "[2][][blue]"),
        ("{{range $v := .Service.Labels}}[{{$v}}]{{else}}none{{end}}", "[2][][blue]"),
        ("{{$x := .Task.Slot}}{{if true}}{{$x = \"9\"}}{{end}}{{$x}}", "9"),
        ("{{$x := 1}}{{if $y := 2}}{{$x}}{{$y}}{{end}}", "12"),
        ("{{.Task.Slot | printf \"%s-%s\" .Task.ID}}", "tid-3"),
        (
            "{{printf \"%03d|%-4s|%4s|%q|%x|%t|%%\" 7 \"ab\" \"cd\" \"e\\\"\" \"az\" true}}",
            "007|ab  |  cd|\"e\\\"\"|617a|true|%",
        ),
        (
            "{{printf \"%d %s\" \"x\"}}{{printf \"%s\" \"a\" \"b\"}}",
            "%!d(string=x) %!s(MISSING)a%!(EXTRA string=b)",
        ),
        (
            "{{printf \"%.2f %.3s %+d %#x %c %U %T\" 1.5 \"abcdef\" 3 255 65 65 1}}",
            "1.50 abc +3 0xff A U+0041 int",
        ),
        ("{{join \".\" .Service.Name .Task.Slot}}", "web.3"),
        ("{{and 1 0}} {{and 1 2}} {{or 0 \"x\"}} {{or 0 \"\"}} {{not 0}}", "0 2 x  true"),
        ("{{or 1 (index .Service.Labels 7)}}", "1"),
        (
            "{{eq 1 2 1}} {{ne \"a\" \"b\"}} {{lt 1 2}} {{le 2 2}} {{gt \"b\" \"a\"}} {{ge 1.5 2.5}}",
            "true true true true true false",
        ),
        (
            "{{len \"abc\"}} {{len .Service.Labels}} {{index \"abc\" 1}} {{slice \"abcdef\" 1 3}}",
            "3 3 98 bc",
        ),
        ("{{print 1 2 \"a\" \"b\" 3}}{{println 1 \"a\"}}", "1 2a b3".replace("a b", "ab").as_str()),
        (
            "{{html \"<a b='c'>&\"}} {{js \"it's <x>\"}} {{urlquery \"a b/ü\"}}",
            "&lt;a b=&#39;c&#39;&gt;&amp; it\\'s \\u003Cx\\u003E a+b%2F%C3%BC",
        ),
    ] {
        let expected = if template.contains("println") { "1 2ab31 a\n" } else { expected };
        assert_eq!(context().expand(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn a_payload_has_functions_of_its_own() {
    let template = "{{secret \"app.key\"}} {{config \"a\"}} {{env \"A\"}}{{env \"B\"}}";
    let expanded = context().expand_payload(template, &Some_).unwrap();
    assert_eq!(expanded, "hunter2 config of a 1");
    let refused = context().expand(template).unwrap_err();
    assert!(refused.to_string().contains("for the templates in secrets"), "{refused}");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    for (template, problem) in [
        ("{{.Service.Nam}}", "line 1: there is no field \"Nam\"; known are ID, Name, Labels"),
        ("{{.Task.Slot.X}}", "line 1: a string has no field \"X\""),
        ("\n{{.Service.Labels.other}}", "line 2: there is no label \"other\""),
        ("a\n\n{{nothing 1}}", "line 3: there is no function \"nothing\""),
        ("{{.Task.Slot", "line 1: an action has no end"),
        ("{{\"a}}", "line 1: a string has no end"),
        ("{{/* a }}", "line 1: a comment has no end"),
        ("{{if 1}}", "line 1: a block has no end"),
        ("{{end}}", "line 1: there is an `end` without a block"),
        ("{{else}}", "line 1: there is an `else` without an `if`"),
        ("{{if 1}}{{else}}{{else}}{{end}}", "line 1: there is a second `else`"),
        ("{{define \"x\"}}{{end}}", "line 1: `define` is not supported"),
        ("{{}}", "line 1: a value is missing"),
        ("{{(1}}", "line 1: a parenthesis is not closed"),
        ("{{1)}}", "line 1: unexpected"),
        ("{{$x}}", "line 1: the variable $x is not defined"),
        ("{{$x = 1}}", "line 1: the variable $x is not defined"),
        ("{{range .Task.Slot}}{{end}}", "line 1: `range` needs labels, and this is a string"),
        ("{{.Task.Slot 1}}", "line 1: only a function can have arguments"),
        ("{{eq 1 \"1\"}}", "line 1: eq: a int and a string cannot be compared"),
        ("{{join 1}}", "line 1: join: the arguments must be texts"),
        ("{{join}}", "line 1: join: the separator is missing"),
        ("{{99999999999999999999x}}", "is no number"),
        ("{{\"\\q\"}}", "unknown escape"),
        ("{{index \"abc\" 9}}", "out of range"),
    ] {
        let error = context().expand(template).unwrap_err().to_string();
        assert!(error.contains(problem), "{template}: {error}");
    }
}

#[test]
fn a_mistake_in_a_secret_does_not_show_it() {
    for template in [
        "{{index (secret \"app.key\") 99}}",
        "{{lt (secret \"app.key\") 1}}",
        "{{(secret \"app.key\").x}}",
    ] {
        let error = context().expand_payload(template, &Some_).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
    }
}

#[test]
fn an_expansion_has_a_limit() {
    let labels = (0..200).map(|at| (format!("{at:03}"), "x".repeat(100)));
    let context =
        Context { service_labels: labels.collect::<BTreeMap<_, _>>(), ..Context::default() };
    let range = "{{range $.Service.Labels}}";
    let template = format!("{range}{range}{range}{{{{.}}}}{{{{end}}}}{{{{end}}}}{{{{end}}}}");
    let error = context.expand(&template).unwrap_err();
    assert!(error.problem.contains("longer than"), "{error}");
    let deep = "{{if 1}}".repeat(100_000);
    assert!(context.expand(&deep).unwrap_err().problem.contains("nested"), "deep");
    let deep = format!("{{{{{}", "(".repeat(100_000));
    assert!(context.expand(&deep).is_err());
    let deep = format!("{{{{{}1}}}}", "(".repeat(100_000));
    assert!(context.expand(&deep).unwrap_err().problem.contains("nested"), "deep");
}

#[test]
fn a_template_that_grows_without_end_is_refused() {
    let many = |part: &str| part.repeat(100_000);
    let filled = "{{$x := printf \"%999999d\" 1}}";
    for template in [
        format!("{filled}{}", many("{{$x = print $x $x}}")),
        format!("{filled}{}", many("{{$y := $x}}")),
        format!("{filled}{{{{len (print {})}}}}", many(" $x")),
        format!("{filled}{{{{len (println {})}}}}", many(" $x")),
        format!("{filled}{{{{len (join $x {})}}}}", many(" \"\"")),
        format!("{filled}{{{{len (js $x $x $x $x $x $x $x $x $x $x)}}}}"),
        format!("{filled}{{{{with $x}}}}{{{{and {}}}}}{{{{end}}}}", many(" .")),
        format!("{{{{len (printf \"{}\" {})}}}}", many("%999999d"), many(" 1")),
        many("{{$y := 1}}") + &many("{{$z = 1}}"),
    ] {
        let problem = context().expand(&template).unwrap_err().problem;
        assert!(
            problem.contains("too much memory") || problem.contains("longer than"),
            "{problem}"
        );
    }
    let labels = (0..200).map(|at| (format!("{at:03}"), String::new())).collect();
    let context = Context { service_labels: labels, ..Context::default() };
    let (range, end) = ("{{range $.Service.Labels}}".repeat(40), "{{end}}".repeat(40));
    let problem = context.expand(&(range + &end)).unwrap_err().problem;
    assert!(problem.contains("too many steps"), "{problem}");
}

#[test]
fn a_number_has_any_precision() {
    let expanded = context().expand("{{printf \"%.70000f\" 1.5}}").unwrap();
    assert_eq!((expanded.len(), expanded.trim_end_matches('0')), (70_002, "1.5"));
}

#[test]
fn many_labels_can_be_used_often() {
    let labels = (0..1000).map(|at| (format!("{at:03}"), "x".repeat(100))).collect();
    let context = Context { service_labels: labels, ..Context::default() };
    let expanded = context.expand(&"{{index .Service.Labels \"007\"}}".repeat(1000)).unwrap();
    assert_eq!(expanded.len(), 100_000);
}

proptest! {
    #[test]
    fn any_text_expands_or_is_refused(
        template in r#"([ -~]|\{\{|\}\}|\{\{if 1\}\}|\{\{end\}\}|"|`|\\|\$x|:=|\.|\||\(|\)|printf|ä|\n){0,24}"#,
    ) {
        _ = context().expand(&template);
        _ = context().expand_payload(&format!("{{{{{template}}}}}"), &Some_);
    }
}
