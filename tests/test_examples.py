"""Each program in examples/ runs and learns; what they share resumes."""

import argparse
import importlib
import re
import zipfile

import pytest

import tensorgrad as tg
from tests.example_runs import run


def test_digits(backend, capsys, tmp_path):
    assert run("digits", "--quick", folder=tmp_path) > 0.85
    assert "held-out digits read right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("loss", "model", "most"),
    [("negative", "skipgram", 3.2), ("tree", "cbow", 5.3), ("softmax", "skipgram", 5.55)],
)
def test_word2vec(backend, loss, model, most, tmp_path):
    vectors = tmp_path / "vectors.txt"
    options = ["--quick", "--loss", loss, "--model", model, "--workers", "1"]
    figures = run("word2vec", *options, "--save", str(vectors), folder=tmp_path)
    # At first each of 6 decisions takes log 2, the path of a word about 8 of them, and one of 279
    # words log 279 = 5.63.
    assert figures["loss"] < most
    assert len(tg.text.KeyedVectors.load_word2vec_format(vectors)) > 200


def test_word2vec_on_files(tmp_path, capsys):
    text = tmp_path / "reviews.csv"
    lines = ["a good film of new york", "a bad film of new york", "an old and good city"] * 40
    text.write_text("text,label\n" + "\n".join(f'"{line}",1' for line in lines))
    (tmp_path / "wordsim353.tsv").write_text("good\tbad\t7\ncity\tfilm\t3\nold\tfilm\t2\n")
    kept = str(tmp_path / "kept.st")
    options = ["--quick", "--data", str(tmp_path), "--phrases", "--checkpoint", kept]
    with tg.use_backend("numpy"):
        figures = run("word2vec", *options, "--text", "reviews.csv", folder=tmp_path)
    assert -1 <= figures["wordsim353"] <= 1
    assert "pairs are joined" in capsys.readouterr().out
    assert tg.text.Word2Vec.load(kept).wv.get_count("film") == 80
    (tmp_path / "other.csv").write_text("words\n1\n")
    with pytest.raises(SystemExit, match="expected a column 'text'"):
        run("word2vec", *options, "--text", "other.csv", folder=tmp_path)


def test_sentiment(backend, tmp_path, capsys):
    """No sum of words can tell what "not" turns round."""
    shares = run("sentiment", "--quick", "--model", "bow", "bilstm", folder=tmp_path)
    assert shares["bow"] < 0.6
    assert shares["bilstm"] > 0.95
    assert re.search(r"model +dev +test +parameters +seconds\n +bow", capsys.readouterr().out)


@pytest.mark.parametrize("name", ["cbow", "deepcbow", "cnn", "bilstm", "attention"])
def test_models_of_sentences_do_not_see_the_padding(name):
    sentiment = importlib.import_module("sentiment")
    model = sentiment.MODELS[name][0](9, 32).eval()
    short, long = tg.tensor([[1, 2, 3]]), tg.tensor([[5, 6, 7, 8, 4], [1, 2, 3, 9, 9]])
    padded = model(long, tg.tensor([5, 3]))[1:]
    tg.testing.assert_close(model(short, tg.tensor([3])), padded, atol=1e-6, rtol=1e-5)


def test_sentiment_reads_trees_and_reviews(tmp_path):
    for part in ("train", "dev", "test"):
        trees = "(3 (2 a) (4 (3 lovely) (2 film)))\n(0 (0 Bad) (2 acting))\n"
        (tmp_path / f"{part}.txt").write_text(trees * 2)
    reviews, vectors = tmp_path / "reviews.csv", tmp_path / "vectors.bin"
    rows = ["a lovely film !<br /><br />it isn't bad", "bad ! bad !"] * 20
    reviews.write_text("".join(["text,source\n", *(f"{row},imdb\n" for row in rows)]))
    arguments = ["--model", "cbow", "--data", str(tmp_path), "--epochs", "1", "--size", "8"]
    with pytest.raises(SystemExit, match="--reviews names what"):
        run("sentiment", *arguments, "--vectors", str(vectors), folder=tmp_path)
    arguments += ["--vectors", str(vectors), "--reviews", str(reviews)]
    assert run("sentiment", *arguments, folder=tmp_path).keys() == {"cbow"}
    known = tg.text.KeyedVectors.load_word2vec_format(vectors, binary=True)
    assert {"a", "is", "n't", "bad", "!"} <= known.key_to_index.keys()


def test_language_models(backend, tmp_path, capsys):
    losses = run("language_model", "--quick", "--model", "ngram", "lstm", folder=tmp_path)
    # 62 characters: log 62 = 4.13; by their counts alone 3.2.
    assert losses["ngram"] < 1.9
    assert losses["lstm"] < 2.2
    assert "log P('To be, or not to be: that is the question.') = -" in capsys.readouterr().out


def test_windows_lose_the_bracket_that_recurrence_keeps(backend, tmp_path):
    arguments = ["--quick", "--probe", "--model", "feedforward", "lstm"]
    shares = run("language_model", *arguments, folder=tmp_path)
    assert min(shares["lstm"].values()) > 0.9
    assert min(share for far, share in shares["feedforward"].items() if far <= 5) > 0.9
    assert max(share for far, share in shares["feedforward"].items() if far > 5) < 0.7


@pytest.mark.parametrize(
    "name", ["ngram", "loglinear", "feedforward", "rnn", "lstm", "transformer"]
)
def test_language_models_see_the_past_alone_and_go_on_where_they_stopped(name):
    next_token = importlib.import_module("next_token")
    options = argparse.Namespace(window=3, size=64, layers=2, dropout=0.1, length=24)
    text = "abracadabra"
    vocabulary = tg.text.Vocabulary(text)
    if name == "ngram":
        model = next_token.Ngram(tg.text.KneserNey([text], 3), vocabulary)
    else:
        model = next_token.MODELS[name](len(vocabulary), options).eval()
        for parameter in model.parameters():
            parameter.data = tg.randn(parameter.shape) * 0.3
    ids = tg.tensor(vocabulary.encode(text))[None]
    whole, _ = model(ids)
    assert whole.shape == (1, 11, len(vocabulary))
    close = {"atol": 1e-5, "rtol": 1e-4}
    tg.testing.assert_close(model(ids[:, :6])[0], whole[:, :6], **close)
    found, state = [], None
    for start, stop in ((0, 4), (4, 5), (5, 11)):
        logits, state = model(ids[:, start:stop], state)
        found.append(logits)
    tg.testing.assert_close(tg.cat(found, 1), whole, **close)


def test_words_are_foretold_too(tmp_path, capsys):
    arguments = ["--unit", "words", "--model", "loglinear", "--epochs", "1", "--prompt", "to be"]
    arguments += ["--sample", "5", "--top-k", "9", "--top-p", "0.9", "--data", str(tmp_path)]
    (tmp_path / "input.txt").write_text("to be or not to be . that is the question ! " * 60)
    losses = run("language_model", *arguments, "--rate", "0.1", "--length", "16", folder=tmp_path)
    assert losses["loglinear"] < 2.4  # of 10 words and the unknown one: log 11 = 2.4
    assert re.search(r"\nto be( [a-z.!<>]+){5}\n", capsys.readouterr().out)


@pytest.mark.parametrize("model", ["attention", "transformer"])
def test_translation(backend, model, tmp_path, capsys):
    figures = run("translation", "--quick", "--model", model, folder=tmp_path)
    assert figures["bleu"] > 80
    assert "pairs, " in capsys.readouterr().out


def test_translation_without_attention_forgets(tmp_path):
    options = ["--quick", "--model", "lstm", "--beams", "1"]
    figures = run("translation", *options, folder=tmp_path)
    assert figures["loss"] < 1.6  # of 3.2 at first: it knows the language,
    assert figures["bleu"] < 50  # and not what it has read


def test_texts_that_are_no_texts_are_refused(tmp_path):
    arguments = ["--model", "ngram", "--data", str(tmp_path)]
    (tmp_path / "input.txt").write_bytes(b"Gr\xf6\xdfe" * 999)
    with pytest.raises(SystemExit, match=r"input.txt: expected text in UTF-8, got"):
        run("language_model", *arguments, folder=tmp_path)
    (tmp_path / "input.txt").write_text("")
    with pytest.raises(SystemExit, match=r"expected a text of at least 2560 characters.* got 0"):
        run("language_model", *arguments, folder=tmp_path)


def test_a_program_that_was_broken_off_goes_on(backend, tmp_path, capsys):
    kept = str(tmp_path / "kept.st")
    run("digits", "--epochs", "1", "--checkpoint", kept, folder=tmp_path)
    resumed = run("digits", "--epochs", "3", "--checkpoint", kept, folder=tmp_path)
    out = capsys.readouterr().out
    assert "resumed behind epoch 1" in out
    assert run("digits", "--epochs", "3", folder=tmp_path) == resumed
    third = re.findall(r"epoch 3: .*", out)
    assert re.findall(r"epoch 3: .*", capsys.readouterr().out) == third != []


def test_counts_find_the_other_spelling_of_a_word(backend, capsys, tmp_path):
    figures = run("counts", "--quick", folder=tmp_path)
    found = {kind: figure["twins found"] for kind, figure in figures.items()}
    assert min(found["PPMI"], found["SVD"], found["PCA"]) > 0.55 > found["counts"]
    assert "MB sparse, 30.5 MB dense" in capsys.readouterr().out


def test_a_program_ends_with_its_best_epoch(tmp_path):
    program = importlib.import_module("program")

    def trained(epochs, kept):
        options = program.options_of("doc", epochs).parse_args(["--checkpoint", str(kept)])
        model = tg.nn.Linear(1, 1, bias=False)
        accuracies = [0.5, 0.9, 0.9, 0.1]
        weights = []

        def after_epoch(epoch):
            weights.append(model.weight.item())
            return {"accuracy": accuracies[epoch]}

        program.fit(
            options, model, tg.optim.SGD(model.parameters(), lr=0.1), [tg.ones(2, 1)],
            lambda x: model(x).mean(), size_of=len, unit="rows", after_epoch=after_epoch,
            best=lambda figures: figures["accuracy"],
        )  # fmt: skip
        return model.weight.item(), weights

    found, weights = trained(4, tmp_path / "whole.st")
    assert found == weights[2]
    assert len(set(weights)) == 4
    assert trained(3, tmp_path / "parts.st")[0] == trained(4, tmp_path / "parts.st")[0]


def test_languages_of_one_grammar_are_aligned(backend, tmp_path):
    figures = run("crosslingual", "--quick", folder=tmp_path)
    assert figures["CSLS precision@1"] > 20 * figures["chance"]
    assert figures["CSLS precision@1"] > 0.8


def test_languages_are_aligned_from_sentence_pairs(tmp_path, capsys):
    names = [a + b + c for a in "bdfgk" for b in "aeiou" for c in "lmnr"]
    text = importlib.import_module("crosslingual").made_up(0)[0]
    lines = []
    for line in text * 5:
        words = [names[int(word[1:])] for word in line]
        lines.append(" ".join(words) + ".\tL'" + " ".join(f"{word}x" for word in words) + " !\n")
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as archive:
        archive.writestr("_about.txt", "made up")
        archive.writestr("pairs.txt", "".join(lines))
    kept = tmp_path / "kept.st"
    options = ["--data", str(tmp_path), "--pairs", "pairs.zip", "--checkpoint", str(kept)]
    options += ["--size", "24", "--epochs", "20"]
    figures = run("crosslingual", *options, folder=tmp_path)
    assert figures["chance"] == 1 / 101  # with "l"
    assert figures["CSLS precision@5"] > 20 * figures["chance"]
    assert run("crosslingual", *options, folder=tmp_path) == figures
    assert {path.name for path in tmp_path.glob("*.st")} == {"source-kept.st", "target-kept.st"}
    (tmp_path / "pairs.zip").write_text("no archive")
    with pytest.raises(ValueError, match=r"expected a \.zip"):
        run("crosslingual", *options, folder=tmp_path)


def test_learnt_likeness_is_the_lexicons(backend, capsys, tmp_path):
    figures = run("wordnet", "--quick", "--workers", "1", folder=tmp_path)
    assert figures["made up"]["Wu-Palmer, vectors"] > 0.7
    assert figures["made up"]["people, Wu-Palmer"] > 0.99
    assert "made up (630)" in capsys.readouterr().out


def test_a_lexicon_beside_real_gold_sets(tmp_path, capsys):
    wordnet = importlib.import_module("wordnet")
    kinds = [("n", "entity", ""), ("n", "animal", "entity"), ("n", "cat", "animal")]
    wordnet.write_lexicon(tmp_path, [*kinds, ("n", "dog", "animal"), ("n", "car", "entity")])
    lines = ["the cat and the dog", "the dog and the animal", "a car on the road"] * 40
    (tmp_path / "combined_movie_reviews.csv").write_text("text\n" + "\n".join(lines))
    pairs = "cat\tdog\t8\nDog\tanimal\t9\ncar\tdog\t1\nroad\tdog\t1\n"
    for name in ("wordsim353.tsv", "simlex999.txt"):
        (tmp_path / name).write_text(pairs)
    kept = str(tmp_path / "kept.st")
    options = ["--data", str(tmp_path), "--wordnet", str(tmp_path), "--checkpoint", kept]
    with tg.use_backend("numpy"):
        figures = run("wordnet", *options, folder=tmp_path)
        assert run("wordnet", *options, folder=tmp_path) == figures
    assert figures["SimLex-999"]["people, path"] == pytest.approx(1)
    assert "WordSim-353 (3)" in capsys.readouterr().out
    (tmp_path / "simlex999.txt").write_text("road\tdog\t1\n")
    with pytest.raises(SystemExit, match=r"simlex999.txt: expected pairs of words that all know"):
        run("wordnet", *options, folder=tmp_path)


def test_data_that_are_missing_say_whence_they_come(tmp_path):
    program = importlib.import_module("program")
    options = program.options_of("doc", 1).parse_args([])
    with pytest.raises(SystemExit, match="name its folder by --data"):
        program.data_file(options, "words.txt", "Look there.")
    options = program.options_of("doc", 1).parse_args(["--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="has no words"):
        program.data_file(options, "words.txt", "Look there.")
    (tmp_path / "words.txt").touch()
    assert program.data_file(options, "words.txt", "").exists()


def test_unknown_backends_are_refused():
    with pytest.raises(tg.errors.BackendError, match="nobody"):
        importlib.import_module("digits").main(["--backend", "nobody"])
