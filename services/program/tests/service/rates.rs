use std::collections::BTreeMap;

use tierline_proto::common::v1::Money;
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::rate_service_client::RateServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TestServer, assert_refused};
use tonic::Code;

use super::start;

fn rates(server: &TestServer) -> RateServiceClient<Connection> {
    RateServiceClient::new(server.caller(Role::Integration))
}

fn day(date: &str, rates: &[(&str, &str)]) -> pb::RateDay {
    let rates: BTreeMap<_, _> = rates
        .iter()
        .map(|(code, rate)| ((*code).to_owned(), (*rate).to_owned()))
        .collect();
    pb::RateDay {
        rate_date: date.to_owned(),
        rates,
    }
}

fn publish(days: Vec<pb::RateDay>) -> pb::PublishRatesRequest {
    pb::PublishRatesRequest {
        source: "ECB".to_owned(),
        base_currency_code: "EUR".to_owned(),
        days,
        ..Default::default()
    }
}

fn two_days() -> pb::PublishRatesRequest {
    publish(vec![
        day("2026-03-27", &[("USD", "1.10"), ("GBP", "0.80")]),
        day("2026-03-26", &[("USD", "1.20")]),
    ])
}

fn convert(amount: &str, from: &str, to: &str, date: &str) -> pb::ConvertMoneyRequest {
    pb::ConvertMoneyRequest {
        money: Some(Money {
            amount: amount.to_owned(),
            currency_code: from.to_owned(),
        }),
        to_currency_code: to.to_owned(),
        rate_date: date.to_owned(),
    }
}

#[tokio::test]
async fn rates_are_published_by_the_day_and_found_on_later_days() {
    let server = start().await;
    let mut rates = rates(&server);
    let nothing = rates.get_rates(pb::GetRatesRequest::default()).await;
    assert_refused(nothing, Code::NotFound, "RATE_NOT_FOUND");
    let answer = rates.publish_rates(two_days()).await.unwrap().into_inner();
    assert_eq!((answer.published_days, answer.unchanged_days), (2, 0));
    assert!(!answer.consistency_token.is_empty());
    // On Tuesday the rates of the Friday before are in force.
    let found = rates
        .get_rates(pb::GetRatesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        found.day,
        Some(day("2026-03-27", &[("USD", "1.10"), ("GBP", "0.80")]))
    );
    assert_eq!(
        (found.source.as_str(), found.base_currency_code.as_str()),
        ("ECB", "EUR")
    );
    let thursday = pb::GetRatesRequest {
        rate_date: "2026-03-26".to_owned(),
    };
    let found = rates
        .get_rates(thursday.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.day, Some(day("2026-03-26", &[("USD", "1.20")])));
    let mut next = two_days();
    next.days[1]
        .rates
        .insert("USD".to_owned(), "1.25".to_owned());
    let answer = rates.publish_rates(next).await.unwrap().into_inner();
    assert_eq!((answer.published_days, answer.unchanged_days), (1, 1));
    let found = rates.get_rates(thursday).await.unwrap().into_inner();
    assert_eq!(found.day, Some(day("2026-03-26", &[("USD", "1.25")])));
}

#[tokio::test]
async fn money_is_converted_at_the_rates_of_a_day() {
    let server = start().await;
    let mut rates = rates(&server);
    rates.publish_rates(two_days()).await.unwrap();
    for (request, amount, rate, date) in [
        (
            convert("110", "USD", "EUR", ""),
            "100.00",
            None,
            "2026-03-27",
        ),
        (
            convert("100", "EUR", "GBP", "2026-03-28"),
            "80.00",
            Some("0.8"),
            "2026-03-27",
        ),
        (
            convert("110", "USD", "GBP", "2026-03-27"),
            "80.00",
            None,
            "2026-03-27",
        ),
        (
            convert("12", "EUR", "USD", "2026-03-26"),
            "14.40",
            Some("1.2"),
            "2026-03-26",
        ),
        (
            convert("12.345", "EUR", "EUR", "2026-03-26"),
            "12.35",
            Some("1"),
            "2026-03-26",
        ),
    ] {
        let converted = rates
            .convert_money(request.clone())
            .await
            .unwrap()
            .into_inner();
        let money = converted.money.unwrap();
        assert_eq!(
            (money.amount.as_str(), converted.rate_date.as_str()),
            (amount, date)
        );
        assert_eq!(money.currency_code, request.to_currency_code);
        if let Some(rate) = rate {
            assert_eq!(converted.rate, rate);
        }
    }
    let unknown = rates.convert_money(convert("1", "EUR", "JPY", "")).await;
    assert_refused(unknown, Code::NotFound, "RATE_NOT_FOUND");
    let wrong = rates
        .convert_money(convert("1,5", "EUR", "euro", "today"))
        .await;
    let fields = assert_refused(wrong, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["money.amount", "to_currency_code", "rate_date"]);
}

#[tokio::test]
async fn an_old_rate_is_not_used_and_the_refusal_says_how_old_it_is() {
    let server = start().await;
    let mut rates = rates(&server);
    let days = vec![
        day("2022-03-01", &[("RUB", "117.201"), ("USD", "1.1162")]),
        day("2022-03-02", &[("USD", "1.1106")]),
    ];
    rates.publish_rates(publish(days)).await.unwrap();
    let within = rates.convert_money(convert("117.201", "RUB", "EUR", "2022-03-11"));
    let within = within.await.unwrap().into_inner();
    assert_eq!(within.rate_date, "2022-03-01");
    let late = rates.convert_money(convert("1", "RUB", "EUR", "2022-03-12"));
    let late = late.await.unwrap_err();
    assert_eq!(
        late.message(),
        "no rate between RUB and EUR was published for 2022-03-12 or the 10 days before it; the last \
         one of RUB is of 2022-03-01"
    );
    let none = rates.get_rates(pb::GetRatesRequest {
        rate_date: "2022-03-13".to_owned(),
    });
    let none = none.await;
    assert!(
        none.as_ref()
            .unwrap_err()
            .message()
            .ends_with("are of 2022-03-02")
    );
    assert_refused(none, Code::NotFound, "RATE_NOT_FOUND");
}

#[tokio::test]
async fn rates_may_be_published_for_another_base_than_the_euro() {
    let server = start().await;
    let mut rates = rates(&server);
    let per_dollar = pb::PublishRatesRequest {
        base_currency_code: "USD".to_owned(),
        ..publish(vec![day("2026-03-27", &[("EUR", "0.8"), ("JPY", "150")])])
    };
    rates.publish_rates(per_dollar).await.unwrap();
    let yen = rates.convert_money(convert("80", "EUR", "JPY", ""));
    let yen = yen.await.unwrap().into_inner();
    assert_eq!(yen.money.unwrap().amount, "15000");
}

#[tokio::test]
async fn every_wrong_rate_is_named_and_the_base_is_fixed() {
    let server = start().await;
    let mut rates = rates(&server);
    let wrong = pb::PublishRatesRequest {
        source: String::new(),
        ..publish(vec![
            day(
                "2026-03-27",
                &[("USD", "a lot"), ("usd", "1"), ("EUR", "1")],
            ),
            day("27.3.2026", &[]),
        ])
    };
    let refused = rates.publish_rates(wrong).await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    let expected = [
        "days[0].rates.EUR",
        "days[0].rates.USD",
        "days[0].rates.usd",
        "days[1].rate_date",
        "days[1].rates",
        "source",
    ];
    assert_eq!(fields, expected);
    rates.publish_rates(two_days()).await.unwrap();
    let base = pb::PublishRatesRequest {
        base_currency_code: "USD".to_owned(),
        ..two_days()
    };
    let refused = rates.publish_rates(base).await;
    assert_refused(refused, Code::FailedPrecondition, "RATES_BASE_FIXED");
}

#[tokio::test]
async fn a_repeated_publication_gets_the_first_answer_and_needs_a_role() {
    let server = start().await;
    let mut rates = rates(&server);
    let request = pb::PublishRatesRequest {
        request_id: "r-1".to_owned(),
        ..two_days()
    };
    let first = rates
        .publish_rates(request.clone())
        .await
        .unwrap()
        .into_inner();
    let second = rates
        .publish_rates(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first, second.published_days), (second.clone(), 2));
    let other = pb::PublishRatesRequest {
        source: "Other".to_owned(),
        ..request
    };
    let refused = rates.publish_rates(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let stale = pb::PublishRatesRequest {
        etag: "\"v9\"".to_owned(),
        ..two_days()
    };
    let refused = rates.publish_rates(stale).await;
    assert_refused(refused, Code::Aborted, "CONCURRENT_CHANGE");
    let mut stranger = RateServiceClient::new(server.stranger());
    let refused = stranger.publish_rates(two_days()).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut manager = RateServiceClient::new(server.caller(Role::PartnerManager));
    let refused = manager.publish_rates(two_days()).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
}
