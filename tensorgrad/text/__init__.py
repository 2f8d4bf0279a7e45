"""Words: vocabularies, running text, word vectors and how good they are.

`Word2Vec` learns vectors, `cooccurrences`, `ppmi` and `truncated_svd` make them by counting,
`KeyedVectors` holds them under the words' names, `Alignment` brings two languages together,
`LineSentences` reads texts larger than memory, `read_trees` sentences with labelled phrases, and
`LengthSampler` makes batches of sentences. `KneserNey` is a language model of counts, and
`sample_token` draws what any such model says next; `beam_search` finds what it finds likely, and
`ctc_beam_search` what a reader of images or sounds does; `edit_distance` says how wrong that is.
Knows strings, NumPy and SciPy's sparse matrices; models of text are made of `nn`.
"""

from tensorgrad.datasets.vocabulary import Vocabulary, tokenize
from tensorgrad.text.alignment import Alignment, procrustes, translation_pairs
from tensorgrad.text.batches import LengthSampler
from tensorgrad.text.counts import cooccurrences, pca, ppmi, truncated_svd
from tensorgrad.text.decoding import beam_search, ctc_beam_search, ctc_best_path
from tensorgrad.text.editing import edit_distance
from tensorgrad.text.evaluation import analogies, word_pairs
from tensorgrad.text.fasttext import FastText
from tensorgrad.text.glove import GloVe
from tensorgrad.text.keyed_vectors import KeyedVectors
from tensorgrad.text.ngrams import KneserNey
from tensorgrad.text.parallel import pieces_of, sentence_pairs, text_of
from tensorgrad.text.phrases import Phrases
from tensorgrad.text.sampling import sample_token, sampling_shares
from tensorgrad.text.sentences import LineSentences
from tensorgrad.text.subwords import SubwordVectors
from tensorgrad.text.trees import Tree, parse_tree, read_trees
from tensorgrad.text.windows import pairs, windows
from tensorgrad.text.word2vec import Word2Vec
from tensorgrad.text.wordnet import WordNet

__all__ = [
    "Alignment",
    "FastText",
    "GloVe",
    "KeyedVectors",
    "KneserNey",
    "LengthSampler",
    "LineSentences",
    "Phrases",
    "SubwordVectors",
    "Tree",
    "Vocabulary",
    "Word2Vec",
    "WordNet",
    "analogies",
    "beam_search",
    "cooccurrences",
    "ctc_beam_search",
    "ctc_best_path",
    "edit_distance",
    "pairs",
    "parse_tree",
    "pca",
    "pieces_of",
    "ppmi",
    "procrustes",
    "read_trees",
    "sample_token",
    "sampling_shares",
    "sentence_pairs",
    "text_of",
    "tokenize",
    "translation_pairs",
    "truncated_svd",
    "windows",
    "word_pairs",
]
