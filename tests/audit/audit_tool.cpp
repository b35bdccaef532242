// audit_tool: the audit log's C++ on the command line, for tests that hold it against verifier.py. Where something does
// not verify it prints {"wrong": …}.
//
//   make DB N                  a log of N entries
//   verify SIZE:ROOT DB…       one line for each: the whole log, and the head that somebody kept
//   inclusion DB SEQ SIZE      a proof; consistency DB OLD SIZE
//   check-inclusion DB SEQ     a proof from standard input; check-consistency
//   vkey NAME TYPE SEED        of an Ed25519 seed in hex
//   sign NAME SEED             a text from standard input; cosign NAME SEED TIME: a note, with one signature more
//   open VKEY…                 a note from standard input
//   judge LOG WITNESS          reads lines "DB TAB NOTE" (files): is each log whole, and does it begin with the note's
//                              checkpoint, which both keys must have signed?
//   tiles DB DIR               tiles and bundles, without a checkpoint
//   request DB OLD NOTE        a request to a witness, for the checkpoint of a note

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "audit/event_log.h"
#include "audit/note.h"
#include "audit/tiles.h"
#include "audit/witness.h"
#include "base/encoding.h"
#include "tests/audit/ed25519.h"

namespace {

using namespace tpf;
using namespace tpf::audit;
using Json = nlohmann::json;
using Args = std::vector<std::string>;

std::string input() {
    return {std::istreambuf_iterator<char>(std::cin), {}};
}
std::uint64_t number(const std::string& text) {
    return std::stoull(text);
}
Digest digest(const std::string& text) {
    const Bytes bytes = from_base64(text).value();
    Digest made{};
    std::copy(bytes.begin(), bytes.end(), made.begin());
    return made;
}
Ed25519Key key_in_hex(const std::string& text) {
    const Bytes bytes = from_hex(text).value();
    Ed25519Key key{};
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}
Json texts(const Proof& proof) {
    Json list = Json::array();
    for (const Digest& node : proof) list.push_back(base64(node));
    return list;
}
Proof proof_in(const Json& json) {
    Proof proof;
    for (const Json& node : json.at("proof")) proof.push_back(digest(node.get<std::string>()));
    return proof;
}
Json answer(bool good) {
    return good ? Json{{"verified", true}} : Json{{"wrong", "it does not verify"}};
}

Result<Json> make(const Args& args) {
    TPF_TRY(auto db, sqlite::Database::open(args[0]));
    EventLog log;
    TPF_TRY(log.prepare(db));
    TPF_TRY(auto transaction, sqlite::Transaction::begin(db));
    for (std::uint64_t n = 0; n < number(args[1]); ++n) {
        AuditEntry entry(n % 3 == 0 ? AuditKind::start : AuditKind::quarantined, n % 2 == 0 ? "tpfd" : "kåre \"x\"");
        entry.with("number", n).with("text", "\x01\x1f\t\n\\ \"æ€😀\" /\x7f");
        if (n % 3 != 0) entry.message(SpoolId::random());
        TPF_TRY(const auto written, log.append(db, entry, UtcTime(std::chrono::seconds(n * 86399 * 77))));
        static_cast<void>(written);
    }
    TPF_TRY(transaction.commit());
    return Json{{"entries", number(args[1])}};
}

Result<Json> verify(const std::string& path, const TreeHead& kept) {
    TPF_TRY(auto db, sqlite::Database::inspect(path));
    EventLog log;
    CompactRange at;
    for (std::uint64_t done = 1; done != 0;) {
        TPF_TRY(done, log.verify(db, at, 7));
    }
    TPF_TRY(const TreeHead then, log.head(db, kept.size));
    if (then != kept) return fail(Code::journal, "the head that was kept is another one");
    return Json{{"entries", at.size}, {"root", base64(root_of(at))}};
}

Result<Json> prove(const std::string& what, const Args& args) {
    TPF_TRY(auto db, sqlite::Database::inspect(args[0]));
    StoredNodes nodes(db);
    EventLog log;
    const std::uint64_t first = number(args[1]), size = number(args[2]);
    TPF_TRY(const TreeHead head, log.head(db, size));
    if (what == "inclusion") {
        TPF_TRY(const Proof proof, inclusion_proof(nodes, first - 1, size));
        return Json{{"size", size}, {"root", base64(head.root)}, {"proof", texts(proof)}};
    }
    TPF_TRY(const TreeHead old, log.head(db, first));
    TPF_TRY(const Proof proof, consistency_proof(nodes, first, size));
    return Json{{"old", first},
                {"old_root", base64(old.root)},
                {"size", size},
                {"root", base64(head.root)},
                {"proof", texts(proof)}};
}

Result<Json> check(const std::string& what, const Args& args) {
    const Json json = Json::parse(input());
    const TreeHead head{json.at("size").get<std::uint64_t>(), digest(json.at("root").get<std::string>())};
    if (what == "check-consistency")
        return answer(
            verify_consistency({json.at("old").get<std::uint64_t>(), digest(json.at("old_root").get<std::string>())},
                               head, proof_in(json)));
    TPF_TRY(auto db, sqlite::Database::inspect(args[0]));
    const std::uint64_t seq = number(args[1]);
    TPF_TRY(const auto rows, EventLog::list(db, {.after = seq - 1, .limit = 1}));
    TPF_TRY(const std::string bytes, canonical_entry(rows.at(0)));
    return answer(verify_inclusion(leaf_hash(bytes), seq - 1, proof_in(json), head));
}

Result<Json> notes(const std::string& what, const Args& args) {
    if (what == "open") {
        TPF_TRY(const SignedNote note, SignedNote::parse(input()));
        std::vector<NoteKey> known;
        for (const std::string& vkey : args) {
            TPF_TRY(NoteKey key, NoteKey::parse(vkey));
            known.push_back(std::move(key));
        }
        TPF_TRY(const auto good, verify_note(note, known, test::TestVerifier()));
        Json list = Json::array();
        for (const auto& one : good) {
            list.push_back({{"name", one.key.name()}, {"type", static_cast<int>(one.key.type())}, {"time", nullptr}});
            if (one.time) list.back()["time"] = one.time->time_since_epoch().count();
        }
        return Json{{"text", note.text}, {"signatures", list}};
    }
    const test::TestSigner signer(key_in_hex(args[what == "vkey" ? 2 : 1]));
    if (what == "vkey") {
        TPF_TRY(const NoteKey key,
                NoteKey::create(args[0], static_cast<NoteType>(number(args[1])), signer.public_key()));
        return Json{{"vkey", key.str()}};
    }
    SignedNote note{input(), {}};
    if (what == "cosign") {
        TPF_TRY(note, SignedNote::parse(note.text));
        const UtcTime time{std::chrono::seconds(number(args[2]))};
        TPF_TRY(NoteSignature line, cosign(note.text, args[0], signer, time));
        note.signatures.push_back(std::move(line));
    } else {
        TPF_TRY(NoteSignature line, sign_note(note.text, args[0], signer));
        note.signatures.push_back(std::move(line));
    }
    TPF_TRY(std::string text, note.str());
    return Json{{"note", std::move(text)}};
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Result<Json> judge(const std::string& log, const NoteKey& key, const std::string& note, const NoteKey& witness) {
    const std::vector<NoteKey> witnesses{witness};
    TPF_TRY(const auto opened, open_note(content(note), {key.name(), {key.key()}}, witnesses, test::TestVerifier()));
    return verify(log, opened.checkpoint.head);
}

Result<Json> tiles(const Args& args) {
    TPF_TRY(auto db, sqlite::Database::inspect(args[0]));
    const auto write = [&](const std::string& path, std::string_view bytes) {
        const std::filesystem::path file = std::filesystem::path(args[1]) / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << bytes;
        return ok();
    };
    TileBuilder hashes(write);
    BundleBuilder entries(write);
    TPF_TRY(const auto rows, EventLog::list(db, {.limit = 1'000'000}));
    for (const auto& row : rows) {
        TPF_TRY(const std::string bytes, canonical_entry(row));
        TPF_TRY(hashes.add(row.leaf));
        TPF_TRY(entries.add(bytes));
    }
    TPF_TRY(hashes.finish());
    TPF_TRY(entries.finish());
    return Json{{"size", hashes.head().size}, {"root", base64(hashes.head().root)}};
}

Result<Json> request(const Args& args) {
    TPF_TRY(auto db, sqlite::Database::inspect(args[0]));
    StoredNodes nodes(db);
    Offer offer{content(args[2]), number(args[1]), {}};
    TPF_TRY(const SignedNote note, SignedNote::parse(offer.note));
    TPF_TRY(const Checkpoint checkpoint, Checkpoint::parse(note.text));
    TPF_TRY(offer.proof, consistency_proof(nodes, offer.old_size, checkpoint.head.size));
    return Json{{"request", offer_text(offer)}};
}

void print(const Result<Json>& result) {
    std::printf("%s\n", (result ? result.value() : Json{{"wrong", result.error().text()}}).dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    const Args args(argv + std::min(argc, 2), argv + argc);
    if (what == "verify") {
        const std::size_t colon = args[0].find(':');
        const TreeHead kept{number(args[0].substr(0, colon)), digest(args[0].substr(colon + 1))};
        for (std::size_t i = 1; i < args.size(); ++i) print(verify(args[i], kept));
    } else if (what == "judge") {
        const NoteKey log = NoteKey::parse(args[0]).value(), witness = NoteKey::parse(args[1]).value();
        for (std::string line; std::getline(std::cin, line);) {
            const std::size_t tab = line.find('\t');
            print(judge(line.substr(0, tab), log, line.substr(tab + 1), witness));
        }
    } else if (what == "tiles") {
        print(tiles(args));
    } else if (what == "request") {
        print(request(args));
    } else if (what == "make") {
        print(make(args));
    } else if (what == "inclusion" || what == "consistency") {
        print(prove(what, args));
    } else if (what.starts_with("check-")) {
        print(check(what, args));
    } else {
        print(notes(what, args));
    }
    return 0;
}
