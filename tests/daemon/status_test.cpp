// What a status means, and the same as metrics.

#include <doctest/doctest.h>

#include <functional>
#include <regex>
#include <set>

#include "daemon/status.h"

namespace tpf::daemon {
namespace {

/// All is well: one register, everything there.
Json well() {
    return Json::parse(R"({"version":"1","since":"2027-01-04T08:00:00Z","time":"2027-01-04T09:00:00Z",
        "forwarder":{"state":"runs","seen":"2027-01-04T08:59:50Z"},
        "messages":{"claimed":0,"committed":0,"delivered":7,"quarantined":0,"held":0,"discarded":0,"duplicate":0},
        "inbox":0,"oldest":{},"old_quarantine":0,"held":[],"waiting":[],"left":{"count":0,"entries":[]},"over_quota":[],
        "registers":[{"register":"IPLOS","state":"well","since":"2027-01-04T08:00:00Z","last_success":"2027-01-04T08:58:00Z",
          "waiting":0,"certificate_ends":"2027-12-01T00:00:00Z","authorities_end":"2030-01-01T00:00:00Z"}],
        "alarm_after_seconds":3600,"disk":{"free_bytes":1000,"reserve_bytes":100,"intake":"open"},
        "keys":{"message_key":true,"signing_key":true,"missing":[],"warnings":[],
          "ends":[{"key":"TPF-2027","kind":"message","valid_to":"2027-12-31","days":361}]},
        "audit":{"entries":12,"root":"AAAA"},
        "journal":{"commits":1,"changes":2,"waiting":0,"copy":{"state":"current"}},"totals":{},"health":"ok"})");
}

struct Change {
    const char* name;
    std::function<void(Json&)> make;
    const char* health;
    const char* says;  ///< in "what" or "do" of the first finding
};

TEST_SUITE("daemon/status") {
    TEST_CASE("all is well") {
        CHECK(findings(well()).empty());
        CHECK(health_of(findings(well())) == "ok");
    }

    TEST_CASE("what is not well is said, with what to do, and how bad it is") {
        const auto trouble = [](const char* code, const char* since) {
            return [=](Json& s) {
                s["registers"][0]["state"] = "trouble";
                s["registers"][0]["code"] = code;
                s["registers"][0]["since"] = since;
                s["registers"][0]["hint"] = "look";
            };
        };
        const auto key = [](int days, const char* text) {
            return [=](Json& s) {
                s["keys"]["warnings"].push_back({{"key", "TPF-2027"}, {"text", text}});
                s["keys"]["ends"][0]["days"] = days;
            };
        };
        const auto certificate = [](const char* ends) {
            return [=](Json& s) { s["registers"][0]["certificate_ends"] = ends; };
        };
        const std::vector<Change> changes = {
            {"forwarder silent", [](Json& s) { s["forwarder"]["state"] = "silent"; }, "critical", "systemctl status"},
            {"forwarder unknown",
             [](Json& s) {
                 s["forwarder"] = {{"state", "unknown"}};
             },
             "warning", "tpf.target"},
            {"another log",
             [](Json& s) {
                 s["witnesses"] = {{{"register", "IPLOS"}, {"cosigned", 3}, {"error", "cut"}}};
             },
             "critical", "IPLOS holds another audit log"},
            {"no cosignature",
             [](Json& s) {
                 s["witnesses"] = {{{"register", "IPLOS"}, {"cosigned", 3}, {"unusable", "no key"}}};
             },
             "warning", "no cosignature"},
            {"register away", trouble("REGISTER_BORTE", "2027-01-04T08:50:00Z"), "warning", "REGISTER_BORTE"},
            {"register away for long", trouble("REGISTER_BORTE", "2027-01-04T07:50:00Z"), "critical", "IPLOS"},
            {"register not trusted", trouble("REGISTER_TLS", "2027-01-04T08:59:00Z"), "critical", "REGISTER_TLS"},
            {"certificate ends", certificate("2027-01-30T00:00:00Z"), "warning", "reload tpf-forward"},
            {"certificate ends soon", certificate("2027-01-08T00:00:00Z"), "critical", "ends on"},
            {"certificate ended", certificate("2027-01-01T00:00:00Z"), "critical", "ended on"},
            {"authorities end", [](Json& s) { s["registers"][0]["authorities_end"] = "2027-01-30T00:00:00Z"; },
             "warning", "ca_file"},
            {"no message key", [](Json& s) { s["keys"]["message_key"] = false; }, "critical",
             "generate --kind message"},
            {"no signing key", [](Json& s) { s["keys"]["signing_key"] = false; }, "critical",
             "generate --kind signing"},
            {"no receipt key",
             [](Json& s) {
                 s["keys"]["missing"].push_back({{"kind", "receipt"}, {"register", "IPLOS"}});
             },
             "critical", "import --kind receipt"},
            {"token away",
             [](Json& s) {
                 s["keys"]["token"] = {{"state", "away"}, {"since", "x"}};
             },
             "critical", "token"},
            {"key suspended", [](Json& s) { s["keys"]["suspended"].push_back("TPF-2019"); }, "critical",
             "keys resume TPF-2019"},
            {"key ends", key(40, "ends on 2027-02-13; no successor is prepared"), "warning", "TPF-2027"},
            {"key ends soon", key(3, "ends on 2027-01-07; no successor is prepared"), "critical", "TPF-2027"},
            {"key ends, successor active", key(3, "its successor TPF-2028 is active, for senders from x"), "ok",
             "TPF-2028"},
            {"a message waits",
             [](Json& s) {
                 s["waiting"].push_back({{"id", "abcd"}, {"code", "DISK_FULL"}, {"reason", "r"}});
             },
             "warning", "make room"},
            {"waits for a day", [](Json& s) { s["oldest_waiting"] = "2027-01-03T08:00:00Z"; }, "warning", "2027-01-03"},
            {"waits for an hour", [](Json& s) { s["oldest_waiting"] = "2027-01-04T08:00:00Z"; }, "ok", nullptr},
            {"held",
             [](Json& s) {
                 s["held"].push_back({{"sender", "0301-00-974761076"}, {"messages", 2}});
             },
             "warning", "queue retry"},
            {"over quota", [](Json& s) { s["over_quota"].push_back("0301-00-974761076"); }, "warning", "--sender 0301"},
            {"old quarantine", [](Json& s) { s["old_quarantine"] = 3; }, "warning", "90 days"},
            {"quarantine", [](Json& s) { s["messages"]["quarantined"] = 3; }, "ok", "in quarantine"},
            {"left", [](Json& s) { s["left"]["count"] = 1; }, "warning", "owner"},
            {"disk full",
             [](Json& s) {
                 s["disk"] = {{"free_bytes", 90}, {"reserve_bytes", 100}, {"intake", "stopped"}};
             },
             "critical", "make room"},
            {"disk short", [](Json& s) { s["disk"]["free_bytes"] = 150; }, "warning", "short"},
            {"copy away",
             [](Json& s) {
                 s["journal"]["copy"] = {{"state", "away"}, {"error", "e"}};
             },
             "warning", "copy"},
            {"copy catching up",
             [](Json& s) {
                 s["journal"]["copy"] = {{"state", "catching"}};
             },
             "ok", nullptr},
        };
        for (const Change& change : changes) {
            CAPTURE(change.name);
            Json status = well();
            change.make(status);
            const Json found = findings(status);
            CHECK(health_of(found) == change.health);
            REQUIRE(found.size() == (change.says == nullptr ? 0 : 1));
            if (change.says == nullptr) continue;
            const std::string said = found[0].value("what", "") + " " + found[0].value("do", "");
            CHECK_MESSAGE(said.find(change.says) != std::string::npos, said);
            CHECK(!found[0].value("do", "").empty());
        }
    }

    TEST_CASE("the worst stands first") {
        Json status = well();
        status["messages"]["quarantined"] = 1;
        status["old_quarantine"] = 1;
        status["keys"]["message_key"] = false;
        const Json found = findings(status);
        REQUIRE(found.size() == 3);
        CHECK(found[0]["level"] == "critical");
        CHECK(found[2]["level"] == "note");
    }

    TEST_CASE("what the forwarder wrote can say anything: a status without its word is one") {
        Json status = well();
        status["registers"][0] = {{"register", "IPLOS"}, {"state", "unknown"}};
        CHECK(findings(status).empty());
        CHECK(metrics_text(status, Metrics().snapshot(), MetricsForm::openmetrics).find("tpf_register_up{") ==
              std::string::npos);
    }

    TEST_CASE("metrics: every sample has its family, no label but those few, histograms are cumulated") {
        Metrics metrics;
        metrics.add(Count::received);
        metrics.add(Count::received_bytes, 1234);
        metrics.add(Count::delivered, 2, "IPLOS");
        metrics.add(Count::quarantined, 1, "BASE64");
        for (const double seconds : {0.001, 0.2, 1000.0}) metrics.observe(Measure::pass_seconds, seconds);
        const std::string open = metrics_text(well(), metrics.snapshot(), MetricsForm::openmetrics);
        const std::string plain = metrics_text(well(), metrics.snapshot(), MetricsForm::prometheus);
        CHECK(open.ends_with("# EOF\n"));
        CHECK(plain.find("# EOF") == std::string::npos);
        CHECK(open.find("# TYPE tpf_messages_received counter\n") != std::string::npos);
        CHECK(plain.find("# TYPE tpf_messages_received_total counter\n") != std::string::npos);
        for (const std::string& text : {open, plain}) {
            CHECK(text.find("\ntpf_messages_delivered_total{register=\"IPLOS\"} 2\n") != std::string::npos);
            CHECK(text.find("\ntpf_messages_quarantined_total{code=\"BASE64\"} 1\n") != std::string::npos);
            CHECK(text.find("\ntpf_received_bytes_total 1234\n") != std::string::npos);
            CHECK(text.find("\ntpf_pass_duration_seconds_bucket{le=\"0.005\"} 1\n") != std::string::npos);
            CHECK(text.find("\ntpf_pass_duration_seconds_bucket{le=\"0.25\"} 2\n") != std::string::npos);
            CHECK(text.find("\ntpf_pass_duration_seconds_bucket{le=\"300\"} 2\n") != std::string::npos);
            CHECK(text.find("\ntpf_pass_duration_seconds_bucket{le=\"+Inf\"} 3\n") != std::string::npos);
            CHECK(text.find("\ntpf_pass_duration_seconds_count 3\n") != std::string::npos);
            CHECK(text.find("\ntpf_key_expiry_timestamp_seconds{kind=\"message\"} 1830297600\n") != std::string::npos);
            const std::regex label("[{,]([a-z]+)=");
            std::set<std::string> labels;
            for (auto it = std::sregex_iterator(text.begin(), text.end(), label); it != std::sregex_iterator(); ++it)
                labels.insert((*it)[1]);
            CHECK(labels == std::set<std::string>{"code", "kind", "le", "register", "state", "version"});
        }
    }
}

}  // namespace
}  // namespace tpf::daemon
