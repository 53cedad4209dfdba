"""Scores: mIoU, COCO mAP, top1, and the accuracy matrix of a run."""
