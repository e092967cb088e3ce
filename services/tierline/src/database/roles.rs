//! Accounts and rights as SQL. Pure.

use std::fmt::Write as _;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use tierline_runtime::targets::Target;

use super::rights;

/// Longest prefix; with the longest name of a target it stays below PostgreSQL's 63 bytes.
const LONGEST: usize = 30;
/// End of the name of the account that owns the schema.
const OWNER: &str = "migrate";

/// What the names of the accounts begin with. Accounts belong to a server and not to a database,
/// so two installations on one server need two prefixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letter = |c: char| c.is_ascii_lowercase() || c == '_';
        let good = text.chars().next().is_some_and(letter)
            && text.chars().all(|c| letter(c) || c.is_ascii_digit())
            && !text.starts_with("pg_");
        if good && text.len() <= LONGEST {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "write 1 to {LONGEST} small letters, digits and underscores, not a digit first and \
             not pg_"
        ))
    }
}

impl Prefix {
    /// The prefix of which `account` is the owner's name; `None` for another name.
    pub fn of_owner(account: &str) -> Option<Self> {
        account.strip_suffix(OWNER)?.parse().ok()
    }

    /// The account that owns the schema.
    pub fn owner(&self) -> String {
        format!("{}{OWNER}", self.0)
    }

    /// The account of a target.
    pub fn account(&self, target: Target) -> String {
        format!("{}{}", self.0, target.name().replace('-', "_"))
    }

    /// The accounts of all targets.
    pub fn accounts(&self) -> Vec<String> {
        Target::ALL.map(|target| self.account(target)).to_vec()
    }
}

/// Makes the accounts that are missing and hands everything of Tierline to the owner. For an
/// administrator; may be run again. Passwords are not touched.
pub fn roles_sql(prefix: &Prefix) -> String {
    let owner = prefix.owner();
    let mut all = vec![owner.clone()];
    all.extend(prefix.accounts());
    let names = list(&all);
    let mut sql = format!(
        "DO $$
DECLARE
    name text;
    item record;
BEGIN
    FOREACH name IN ARRAY ARRAY[{names}] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        ELSIF EXISTS (SELECT FROM pg_roles WHERE rolname = name AND
                      (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls))
        THEN
            RAISE EXCEPTION 'role % exists and may more than Tierline needs', name
                USING HINT = 'take its attributes away, or choose another --prefix';
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CREATE ON DATABASE %I TO {owner}', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    GRANT CREATE ON SCHEMA public TO {owner};
    -- Whoever gives things away has to be able to act for whoever gets them.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT {owner} TO %I', current_user);
    END IF;
{HAND_OVER}END
$$;
"
    );
    sql = sql.replace("{owner}", &owner);
    for (target, group) in rights::MEMBERSHIPS {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(sql, "GRANT {group} TO {};", prefix.account(*target));
    }
    sql
}

/// Everything of Tierline that another account made goes to the owner. Sequences go with their
/// table, and what belongs to an extension stays.
const HAND_OVER: &str = "    FOR item IN
        SELECT format('TABLE %s', c.oid::regclass) AS what
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'bus', 'eval', 'read', 'read_build')
          AND c.relkind IN ('r', 'p') AND c.relowner <> '{owner}'::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('public', 'bus') AND p.proowner <> '{owner}'::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('SCHEMA %I', n.nspname)
        FROM pg_namespace n
        WHERE n.nspname IN ('bus', 'eval', 'read', 'read_build')
          AND n.nspowner <> '{owner}'::regrole
    LOOP
        EXECUTE format('ALTER %s OWNER TO {owner}', item.what);
    END LOOP;
";

/// Takes back whatever the accounts of the given targets may do in the database, and gives them
/// what they need. For the owner, on a schema that is up to date; may be run again.
pub fn rights_sql(prefix: &Prefix, targets: &[Target]) -> String {
    let accounts: Vec<String> = targets.iter().map(|one| prefix.account(*one)).collect();
    let everybody = accounts.join(", ");
    let mut sql = format!(
        "DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                      c.oid::regclass) AS what
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'bus', 'eval', 'read', 'read_build')
          AND c.relkind IN ('r', 'p', 'S', 'v', 'm') AND c.relowner = current_user::regrole
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('public', 'bus') AND p.proowner = current_user::regrole
        UNION ALL
        SELECT format('SCHEMA %I', n.nspname)
        FROM pg_namespace n
        WHERE n.nspname IN ('bus', 'eval', 'read', 'read_build')
          AND n.nspowner = current_user::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, {everybody}', item.what);
    END LOOP;
END
$$;
"
    );
    for grant in rights::EVERYBODY {
        let _ = writeln!(sql, "GRANT {grant} TO {everybody};");
    }
    for target in targets {
        let account = prefix.account(*target);
        for grant in rights::of(*target).grants.iter().copied().flatten() {
            let _ = writeln!(sql, "GRANT {grant} TO {account};");
        }
    }
    for (target, privileges) in rights::ON_BUILDS {
        if targets.contains(target) {
            let _ = writeln!(
                sql,
                "ALTER DEFAULT PRIVILEGES IN SCHEMA read_build GRANT {privileges} ON TABLES TO {};",
                prefix.account(*target)
            );
        }
    }
    sql.push_str(&guard_sql(prefix, targets));
    sql
}

/// A trigger that holds every account to the streams that are its own. It costs nothing but the
/// comparison, and is replaced only when it changes, since that takes a lock on the table.
fn guard_sql(prefix: &Prefix, targets: &[Target]) -> String {
    let mut cases = String::new();
    for target in targets {
        let own = rights::of(*target).appends;
        if !own.is_empty() {
            let _ = write!(
                cases,
                "\n            WHEN '{}' THEN NEW.aggregate_type NOT IN ({})",
                prefix.account(*target),
                list(own)
            );
        }
    }
    if cases.is_empty() {
        return String::new();
    }
    let version = hex_of(&cases);
    format!(
        "CREATE OR REPLACE FUNCTION public.refuse_foreign_stream() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % may not append events of %', current_user, NEW.aggregate_type
        USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION public.refuse_foreign_stream FROM PUBLIC;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger t
                   WHERE t.tgrelid = 'public.events'::regclass AND t.tgname = 'own_streams_only'
                     AND obj_description(t.oid, 'pg_trigger') = '{version}')
    THEN
        CREATE OR REPLACE TRIGGER own_streams_only AFTER INSERT ON public.events
        FOR EACH ROW WHEN (CASE current_user{cases}
            ELSE false END)
        EXECUTE FUNCTION public.refuse_foreign_stream();
        COMMENT ON TRIGGER own_streams_only ON public.events IS '{version}';
    END IF;
END
$$;
"
    )
}

/// Both parts, for whoever wants to read them first or runs them by other means.
pub fn script(prefix: &Prefix) -> String {
    let owner = prefix.owner();
    format!(
        "-- Accounts of Tierline for PostgreSQL, one for each target, and {owner} that owns the schema.
-- May be run again. Passwords are not set here.

-- 1. As an administrator, in the database of Tierline.
{}
-- 2. As {owner}, after the schema was made or changed. `tierline migrate` does this by itself
--    when it runs as {owner}.
{}",
        roles_sql(prefix),
        rights_sql(prefix, &Target::ALL)
    )
}

fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let quoted: Vec<String> = texts
        .iter()
        .map(|text| format!("'{}'", text.as_ref()))
        .collect();
    quoted.join(", ")
}

fn hex_of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_prefix_and_lead_back_to_it() {
        let prefix: Prefix = "tl_".parse().unwrap();
        assert_eq!(prefix.account(Target::TierEvaluator), "tl_tier_evaluator");
        assert_eq!(Prefix::of_owner("tl_migrate"), Some(prefix));
        assert_eq!(Prefix::of_owner("tierline"), None);
        for wrong in [
            "",
            "9a",
            "A_",
            "a-b",
            "a'b",
            "pg_",
            "a23456789012345678901234567890_",
        ] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn the_script_names_every_account_and_leaves_nothing_to_fill_in() {
        let prefix: Prefix = "cell1_".parse().unwrap();
        let sql = script(&prefix);
        for account in prefix.accounts() {
            assert!(sql.contains(&format!(" TO {account};")), "{account}");
        }
        assert!(sql.contains("OWNER TO cell1_migrate") && !sql.contains("{owner}"));
    }
}
