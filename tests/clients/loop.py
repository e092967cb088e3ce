"""A client that was not generated from our files: it asks the server what it can do.

Creates an org, a program and a partner, enrolls the partner, wins a deal and reads the tier with
the token of the answer. Every step is checked; the first surprise ends the script with status 1.

Usage: loop.py ADDRESS TOKEN_FILE PROGRAM_YAML
"""

import datetime
import pathlib
import sys
import uuid

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class Client:
    """Calls methods by name, with messages as plain dictionaries."""

    def __init__(self, address, token):
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)
        self.metadata = (("authorization", f"Bearer {token}"),)

    def services(self):
        return sorted(self.database.get_services())

    def call(self, service, method, request, metadata=None):
        described = self.pool.FindServiceByName(service).methods_by_name[method]
        request_class = message_factory.GetMessageClass(described.input_type)
        answer_class = message_factory.GetMessageClass(described.output_type)
        stub = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=answer_class.FromString,
        )
        message = json_format.ParseDict(request, request_class())
        answer = stub(message, metadata=metadata or self.metadata, timeout=15)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    def refused(self, service, method, request, metadata=None):
        try:
            self.call(service, method, request, metadata)
        except grpc.RpcError as error:
            return error.code()
        raise AssertionError(f"{method} was not refused")


def months_ago(today, months):
    first = today.replace(day=1)
    for _ in range(months):
        first = (first - datetime.timedelta(days=1)).replace(day=1)
    return first.isoformat()


def expect(what, found, wanted):
    if found != wanted:
        raise AssertionError(f"{what}: found {found!r}, wanted {wanted!r}")
    print(f"ok  {what}: {str(found)[:60]}")


def main(address, token_file, program_file):
    token = pathlib.Path(token_file).read_text(encoding="utf-8").strip()
    client = Client(address, token)
    expect("reflection lists the deal service",
           "tierline.activity.v1.DealService" in client.services(), True)
    expect("no token",
           client.refused("tierline.query.v1.PartnerQueryService", "ListPartners", {},
                          (("authorization", "Bearer nonsense"),)),
           grpc.StatusCode.UNAUTHENTICATED)

    client.call("tierline.program.v1.OrgService", "CreateOrg", {
        "name": "Foreign client", "time_zone": "UTC", "fiscal_year_start": 1,
        "base_currency_code": "USD"})
    today = datetime.datetime.now(datetime.timezone.utc).date()
    client.call("tierline.program.v1.ProgramService", "ApplyProgram", {
        "yaml": pathlib.Path(program_file).read_text(encoding="utf-8"),
        "effective_date": "2020-01-01"})

    suffix = uuid.uuid4().hex[:8]
    partner, enrollment, deal = f"acme-{suffix}", f"acme-{suffix}-resell", f"deal-{suffix}"
    create = {
        "partner_id": partner,
        "partner": {"name": "Acme", "domain": f"{partner}.example",
                    "partner_type": "PARTNER_TYPE_RESELLER"},
        "primary_contact": {"first_name": "Ada", "last_name": "Byron",
                            "email": f"ada@{partner}.example"},
        "request_id": str(uuid.uuid4())}
    made = client.call("tierline.partner.v1.PartnerService", "CreatePartner", create)
    again = client.call("tierline.partner.v1.PartnerService", "CreatePartner", create)
    expect("a repeated request gets the first answer", again, made)
    expect("a second partner of the same name",
           client.refused("tierline.partner.v1.PartnerService", "CreatePartner",
                          {**create, "request_id": str(uuid.uuid4())}),
           grpc.StatusCode.ALREADY_EXISTS)

    client.call("tierline.enrollment.v1.EnrollmentService", "EnrollPartner", {
        "enrollment_id": enrollment, "partner_id": partner,
        "program_id": "three-tier-revenue", "track_id": "resell",
        "start_date": months_ago(today, 24)})
    client.call("tierline.activity.v1.DealService", "RegisterDeal", {
        "deal_id": deal, "partner_id": partner, "name": "First deal",
        "source": "DEAL_SOURCE_PARTNER_SOURCED", "registered_date": months_ago(today, 10),
        "amount": {"amount": "600000.00", "currency_code": "USD"}})
    won = client.call("tierline.activity.v1.DealService", "WinDeal", {
        "deal_id": deal, "closed_date": months_ago(today, 7)})
    answer = client.call("tierline.query.v1.StandingQueryService", "GetStanding", {
        "partner_id": partner, "consistency_token": won["consistency_token"]})
    (standing,) = answer["standings"]
    expect("tier read with the token of the won deal", standing["tier_name"], "Gold")
    expect("winning a won deal again on another day",
           client.refused("tierline.activity.v1.DealService", "WinDeal", {
               "deal_id": deal, "closed_date": months_ago(today, 6)}),
           grpc.StatusCode.FAILED_PRECONDITION)


if __name__ == "__main__":
    main(*sys.argv[1:])
