//! `tierline rates show|convert`

use std::process::ExitCode;

use clap::Subcommand;
use jiff::civil::Date;
use tierline_proto::common::v1::Money;
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::rate_service_client::RateServiceClient;

use crate::cli::Globals;
use crate::client::refused;
use crate::commands::show::json;
use crate::output;

/// Exchange rates of the org.
#[derive(Debug, clap::Args)]
pub struct RatesArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the rates in force on a day.
    Show {
        /// The day. Default: today in the org.
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
    },
    /// Say what an amount is worth in another currency, and by which rate.
    Convert {
        /// The amount, such as 1250.00.
        amount: String,
        /// Its currency, such as USD.
        from: String,
        /// The currency wanted.
        to: String,
        /// The day whose rates apply. Default: today in the org.
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
    },
}

pub async fn run(args: RatesArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let mut client = RateServiceClient::new(globals.client.connect().await?);
    let day = |on: Option<Date>| on.map(|day| day.to_string()).unwrap_or_default();
    match args.what {
        What::Show { on } => {
            let request = pb::GetRatesRequest { rate_date: day(on) };
            let answer = client.get_rates(request).await.map_err(refused)?;
            show(&answer.into_inner(), globals)?;
        }
        What::Convert {
            amount,
            from,
            to,
            on,
        } => {
            let request = pb::ConvertMoneyRequest {
                money: Some(Money {
                    amount,
                    currency_code: from,
                }),
                to_currency_code: to,
                rate_date: day(on),
            };
            let answer = client.convert_money(request.clone()).await;
            converted(&request, &answer.map_err(refused)?.into_inner(), globals)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(rates: &pb::GetRatesResponse, globals: &Globals) -> anyhow::Result<()> {
    if globals.output.json() {
        return output::json(&json::of("program.v1.GetRatesResponse", rates)?);
    }
    let day = rates.day.clone().unwrap_or_default();
    let rows = day
        .rates
        .iter()
        .map(|(code, rate)| [code.clone(), rate.clone()]);
    output::table(&["currency", "rate"], rows);
    output::line(format!(
        "Published for {} by {}, for 1 {}.",
        day.rate_date, rates.source, rates.base_currency_code
    ));
    Ok(())
}

fn converted(
    request: &pb::ConvertMoneyRequest,
    answer: &pb::ConvertMoneyResponse,
    globals: &Globals,
) -> anyhow::Result<()> {
    if globals.output.json() {
        return output::json(&json::of("program.v1.ConvertMoneyResponse", answer)?);
    }
    let text = |money: &Option<Money>| {
        let money = money.clone().unwrap_or_default();
        format!("{} {}", money.amount, money.currency_code)
    };
    output::line(format!(
        "{} = {}, at {} of {}",
        text(&request.money),
        text(&answer.money),
        answer.rate,
        answer.rate_date
    ));
    Ok(())
}
