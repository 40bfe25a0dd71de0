use super::*;

const NONE: Names<'static> = Names { variables: &[], constants: &[], expressions: &[] };

fn integer(formula: &str) -> Result<i64, String> {
    let program = compile(formula, &NONE, Rules::Integer).map_err(|e| e.problem)?;
    program.integer(&[], &mut Vec::new()).map_err(str::to_owned)
}

fn float(formula: &str) -> Result<f64, String> {
    let program = compile(formula, &NONE, Rules::Float).map_err(|e| e.problem)?;
    program.float(&[], &mut Vec::new()).map_err(str::to_owned)
}

/// Each as EMVA's implementation answers it.
#[test]
fn integers_are_computed_as_the_reference_does() {
    for (formula, value) in [
        ("2**3**2", 64),
        ("-2**2", 4),
        ("2**-1", 0),
        ("2**-1*4", 0),
        ("-7/2", -3),
        ("-7%3", -1),
        ("7%-3", 1),
        ("1+2*3", 7),
        ("1<<2+1", 5),
        ("-8>>1", -4),
        ("1<<63", i64::MIN),
        ("1<<64", 1),
        ("1<<-1", i64::MIN),
        ("1&3=3", 0),
        ("1|2&4", 0),
        ("6&3<<1", 4),
        ("1||0&&0", 0),
        ("5>=5&&3<>4", 1),
        ("1||1=0", 0),
        ("3>2>1", 0),
        ("0?1:0?2:3", 3),
        ("1?2:3+1", 2),
        ("0?2:3+1", 4),
        ("1+1?2:3", 2),
        ("(1?2:3)?4:5", 4),
        ("1?2:3=2", 1),
        ("1?5=2:3=2", 0),
        ("1?0:3||4", 1),
        ("1?5:3|8", 5),
        ("0?5:3|8", 11),
        ("5>7?9:3>2", 1),
        ("1?5:1?2:3", 2),
        ("-(3)+5", -8),
        ("5*-(3)+1", -20),
        ("-(2)*-(3)+1", 8),
        ("0?2:-(3)+5<9", -1),
        ("-(3)?1:2", -1),
        ("-SGN(3)*5+7", -12),
        ("-~3+5", -1),
        ("~-(3)+5", 7),
        ("10-(-(3)+5)", 18),
        ("5-(3)+1", 3),
        ("-2*3+1", -5),
        ("0xFFFFFFFFFFFFFFFF", i64::MAX),
        ("9223372036854775808", i64::MAX),
        ("9223372036854775807+1", i64::MIN),
        ("4294967296*4294967296", 0),
        ("3**40", i64::MIN),
        ("2**62", 1 << 62),
        ("SGN(-5)", -1),
        ("neg(5)", -5),
        ("~0x0F", -16),
        ("~-1", 0),
        ("-~1", 2),
        ("2*-3", -6),
        ("10-5-2", 3),
        ("100/10/2", 5),
        ("2*3%4", 2),
    ] {
        assert_eq!(integer(formula), Ok(value), "{formula}");
    }
}

#[test]
fn floats_are_computed_as_the_reference_does() {
    for (formula, value) in [
        ("2**-1", 0.5),
        ("-7/2", -3.5),
        ("5.5%2", 1.5),
        ("1<<2+1", 5.0),
        ("1<<31", -2147483648.0),
        ("1<<32", 1.0),
        ("0xffffffff", -1.0),
        ("0x100000001", 1.0),
        ("-1&255", 255.0),
        ("2.7&3", 2.0),
        ("~2.7", -3.0),
        ("7.9>>1", 3.0),
        ("ROUND(2.5)", 3.0),
        ("ROUND(-2.5)", -3.0),
        ("ROUND(2.345,2)", 2.35),
        ("ROUND(1234.5,-2)", 1200.0),
        ("TRUNC(-2.7)", -2.0),
        ("FLOOR(-2.7)", -3.0),
        ("CEIL(2.1)", 3.0),
        ("SGN(-2.5)", -1.0),
        ("LG(1000)", 3.0),
        ("LN(E)", 1.0),
        ("COS(PI)", -1.0),
        ("SQRT(ABS(-16))", 4.0),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        ("0.1+0.2=0.3", 0.0),
        ("0.4&&1", 1.0),
        ("0.5?1:2", 1.0),
        ("1E-16/2.5E-16", 0.4),
        ("-(2)**2", -4.0),
    ] {
        let result = float(formula).unwrap();
        assert!((result - value).abs() < 1e-12, "{formula}: {result}");
    }
    assert!(float("SQRT(-1)").unwrap().is_nan());
    assert_eq!(float("LN(0)"), Ok(f64::NEG_INFINITY));
}

#[test]
fn what_the_reference_can_not_nest_is_computed_too() {
    assert_eq!(integer("1?0?5:6:7"), Ok(6));
    assert_eq!(integer("1?(0?5:6):7"), Ok(6));
    assert_eq!(integer("--3"), Ok(3));
    assert_eq!(integer("--(3)+5"), Ok(8));
    assert_eq!(integer("5--(3)+1"), Ok(9));
    assert_eq!(integer("1?-(3)+5:2"), Ok(2));
    assert_eq!(integer("2+-(3)+5"), Ok(4));
    assert_eq!(integer("2--3"), Ok(5));
    assert_eq!(float("ROUND(1?2.26:3,1)"), Ok(2.3));
}

#[test]
fn stumbling_is_an_error() {
    for formula in ["1/0", "1%0", "(0-9223372036854775807-1)/(0-1)", "(1<<63)%(0-1)"] {
        assert!(integer(formula).is_err(), "{formula}");
    }
    for formula in ["1/0", "1%0", "1/1E-16", "1%-1E-20", "4294967296&1", "1e10>>1", "~1e300"] {
        assert!(float(formula).is_err(), "{formula}");
    }
}

#[test]
fn what_is_no_formula_is_an_error() {
    for formula in [
        "",
        "1+",
        "*1",
        "1 2",
        "(",
        ")",
        "(1",
        "1)",
        "()",
        "1?2",
        "1:2",
        "1,2",
        "X",
        "1;2",
        "!1",
        "1.5",
        "1e3",
        "SQRT(4)",
        "0x",
        "ROUND(1,2,3)",
        "(1?2)",
        "1==1",
        "SGN()",
        "SGN(1,2)",
        "\u{b5}",
        "1 \u{2265} 2",
    ] {
        assert!(integer(formula).is_err(), "{formula}");
    }
    let error = compile("1 + * 2", &NONE, Rules::Integer).unwrap_err();
    assert_eq!(error.at, 4);
}

#[test]
fn names_are_variables_then_constants_then_sub_formulas() {
    let names = Names {
        variables: &["A", "B.Min"],
        constants: &[("TEN", "0x0A"), ("A", "7"), ("NEGATIVE", "-3")],
        expressions: &[("TWICE", "ONE*2"), ("ONE", "A+TEN"), ("A", "99")],
    };
    let run = |formula: &str| {
        let program = compile(formula, &names, Rules::Integer).unwrap();
        program.integer(&[1, 100], &mut Vec::new()).unwrap()
    };
    assert_eq!(run("A"), 1);
    assert_eq!(run("TEN+NEGATIVE"), 7);
    assert_eq!(run("TWICE+ONE+B.Min"), 22 + 11 + 100);
    let circle = Names { variables: &[], constants: &[], expressions: &[("A", "B"), ("B", "A+1")] };
    assert!(compile("A", &circle, Rules::Integer).unwrap_err().problem.contains("itself"));
}

#[test]
fn depth_costs_no_stack() {
    let worker = std::thread::Builder::new().stack_size(64 << 10);
    let done = worker.spawn(|| {
        let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(integer(&nested), Ok(1));
        assert_eq!(integer(&format!("{}1", "-".repeat(200_000))), Ok(1));
        assert_eq!(integer(&format!("{}1{}", "1?".repeat(50_000), ":0".repeat(50_000))), Ok(1));
        assert_eq!(integer(&format!("{}1", "1+".repeat(300_000))), Ok(300_001));
    });
    done.unwrap().join().unwrap();
}

#[test]
fn many_names_mean_what_few_do() {
    let many: Vec<String> = (0..70_000).map(|at| format!("V{at}")).collect();
    let variables: Vec<&str> = many.iter().map(String::as_str).collect();
    // The first of each name counts, and a variable before a constant before a sub-formula.
    let constants = [("C", "5"), ("C", "6"), ("V1", "7")];
    let expressions = [("X", "C+V2"), ("C", "8"), ("V0", "9"), ("X", "0")];
    for count in [3, 17, 60_000] {
        let names = Names {
            variables: &variables[..count],
            constants: &constants,
            expressions: &expressions,
        };
        let program = compile("X*1000+V0*100+V1*10+C", &names, Rules::Integer).unwrap();
        let values: Vec<i64> = (1..=count as i64).collect();
        assert_eq!(program.integer(&values, &mut Vec::new()), Ok(8_125), "{count}");
    }
    let names = Names { variables: &variables, constants: &[], expressions: &[] };
    let problem = compile("V65536", &names, Rules::Integer).unwrap_err().problem;
    assert!(problem.contains("too many variables"), "{problem}");
}
