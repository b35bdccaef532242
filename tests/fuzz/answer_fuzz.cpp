// Any bytes as a register's answer, and as its Retry-After. Judge: what we accept, nlohmann's document parser accepts
// as an object whose named members are strings equal to our fields, and nothing else is in our fields. An exception
// that escapes ends the run.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "forward/answer.h"

namespace {

using namespace tpf;
using forward::AnswerFields;
using forward::HttpAnswer;
using forward::Verdict;

void require(bool holds) {
    if (!holds) std::abort();
}

constexpr std::pair<const char*, std::string AnswerFields::*> kFields[] = {
    {"status", &AnswerFields::status},     {"kvittering", &AnswerFields::kvittering},
    {"kode", &AnswerFields::kode},         {"navn", &AnswerFields::navn},
    {"sha256", &AnswerFields::sha256},     {"mottatt", &AnswerFields::mottatt},
    {"signatur", &AnswerFields::signatur},
};

void judge_fields(std::string_view body, const AnswerFields& fields) {
    const auto document = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
    require(document.is_object());
    for (const auto& [name, field] : kFields) {
        const std::string& ours = fields.*field;
        const auto theirs = document.find(name);
        require((theirs == document.end()) == ours.empty());
        if (theirs == document.end()) continue;
        require(theirs->is_string() && theirs->get_ref<const std::string&>() == ours);
        require(ours.size() <= 128 && ours.find_first_of(std::string_view("\0\r\n\t \"<>", 8)) == std::string::npos);
    }
}

void judge_verdict(std::string_view body, int status, UtcTime now, bool readable) {
    const Verdict verdict = forward::judge(HttpAnswer{status, std::string(body), std::string(body), false}, now);
    if (verdict.kind != Verdict::Kind::receipt) require(verdict.fields == AnswerFields{});
    if (!readable) require(verdict.fields == AnswerFields{});
    if (status == 200 && verdict.kind == Verdict::Kind::receipt) {
        require(verdict.fields.status == "mottatt" && !verdict.fields.kvittering.empty() &&
                !verdict.fields.signatur.empty());
    }
    if (verdict.retry_after) {
        require(status == 503 && verdict.retry_after->count() >= 0 &&
                *verdict.retry_after <= std::chrono::hours(24 * 365));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) noexcept {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    const UtcTime now{std::chrono::seconds(1'798'000'000)};
    const auto fields = forward::parse_answer(body);
    if (fields) judge_fields(body, fields.value());
    for (const int status : {200, 409, 422, 503}) judge_verdict(body, status, now, fields.has_value());
    return 0;
}
