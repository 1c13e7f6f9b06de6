"""How far a reduced model may drift from the float32 one, by measure. Needs nothing.

A budget is the largest drift that is let through (of a rank correlation, the smallest value).

pixel_difference      largest |a - b| of pixels, in [0, 1], over all images for equal inputs and seeds
mean_pixel_difference mean |a - b| of pixels
frechet_increase      relative increase of the Frechet distance between samples and held-out images; what the two
                      distances differ by beyond twice the standard error of their difference is what counts
nats                  |mean difference| of bounds on the log-likelihood, nats a row
rank_correlation      Spearman's, of one number a row: `energy`, `anomaly_score` and `discriminate`
changed_share         share of whole numbers, such as codes, that are others; or of rows that are more or fewer, where
                      values decide how many there are
relative_error        root mean square of a - b over the standard deviation of b, of all other outputs
"""

# Half precision has a relative spacing of 2**-10, about 0.001, and a network adds up few dozens of such errors.
_FLOAT16 = {
    "pixel_difference": 0.02,  # 5 of 255 levels: no eye sees it, and "same seed, same picture" holds
    "mean_pixel_difference": 0.001,
    "frechet_increase": 0.05,
    "nats": 0.1,  # half the standard error of the test figures in this zoo (0.2 nats over 10,000 images)
    "rank_correlation": 0.999,
    "changed_share": 0.005,
    "relative_error": 0.01,
}
# Eight bits have a spacing of 1/255 of the range, four times that of half precision near the largest value and far
# more below it. A stroke's edge may then move by part of a pixel: some pixel changes by a quarter of the whole range,
# and the mean one by 1/100, which is less than neighbouring levels of a grey scale that eyes can tell apart.
_INT8 = {
    "pixel_difference": 0.25,
    "mean_pixel_difference": 0.01,
    "frechet_increase": 0.1,
    "nats": 1.0,  # about a percent of the likelihood of a digit; models in the literature differ by more
    "rank_correlation": 0.99,
    "changed_share": 0.05,
    "relative_error": 0.1,
}
BUDGETS = {"float16": _FLOAT16, "int8": _INT8}
